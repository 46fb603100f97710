//! A gateway that is killed under load loses nothing that it has acknowledged.

use anyhow::Result;
use countersign_testkit::{BIN, Backend};
use futures::future::join_all;

use crate::{
    campaign::Gateways,
    harness::{Suite, rounds},
    load::Load,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "crash::a_killed_gateway_loses_nothing_acknowledged_and_accepts_no_code_twice",
        killed,
    );
}

const PEOPLE: usize = 8;
/// How much is answered between two kills: enough to be in the midst of everything.
const BETWEEN: u64 = 40;

async fn killed(backend: Backend) -> Result<()> {
    let mut gateways = Gateways::start(backend).await?;
    let load = Load::new(gateways.clients(), true);
    let work = load.start(PEOPLE);
    for kill in 0..rounds(20, 200) {
        load.wait_for(BETWEEN).await?;
        gateways.kill_and_restart(kill as usize).await?;
    }
    load.wait_for(BETWEEN).await?;
    load.end();
    join_all(work).await;
    load.check(&gateways.database).await
}
