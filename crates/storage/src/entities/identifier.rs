//! Every identifier ever bound: dates and states, no secrets.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identifier")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) subject_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) identifier_id: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) label: String,
    pub(crate) state: String,
    pub(crate) created_at: i64,
    pub(crate) enabled_at: i64,
    pub(crate) disabled_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
