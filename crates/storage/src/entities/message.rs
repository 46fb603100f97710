//! Messages. `due_at` and `body` are there as long as one may still be given to a carrier.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) subject_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) message_id: Vec<u8>,
    pub(crate) identifier_id: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) state: String,
    pub(crate) due_at: Option<i64>,
    pub(crate) claim: i64,
    pub(crate) provider: Option<String>,
    pub(crate) carrier_id: Option<String>,
    pub(crate) prefix: String,
    pub(crate) confirmed_at: Option<i64>,
    pub(crate) updated_at: i64,
    pub(crate) progress: Vec<u8>,
    pub(crate) body: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
