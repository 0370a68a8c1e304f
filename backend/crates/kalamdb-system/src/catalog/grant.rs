//! Grants that come and go. They are part of the table, so whatever follows the table follows them.

use kalamdb_commons::{Role, TableName, UserId};
use kalamdb_store::WriteSet;

use super::index::TableRevision;
use super::{CatalogError, CatalogState};
use crate::rights::{Grant, Grantee, Rights};
use crate::table_def::{TableDef, TableKind};

impl CatalogState {
    /// Grants rights on a SHARED table. `None`: the grantee has been granted them before, or is a role
    /// that may do everything.
    ///
    /// # Errors
    /// [`CatalogError`] when there is no such table, it is not SHARED, or it has `grantees_max` grantees already.
    pub fn grant(
        &self,
        name: &TableName,
        grantee: &Grantee,
        rights: Rights,
        grantees_max: usize,
    ) -> Result<Option<TableRevision>, CatalogError> {
        let mut table = self.table_with_grants(name)?;
        if matches!(grantee, Grantee::Role(Role::Dba | Role::System)) {
            return Ok(None);
        }
        let before = table.granted_to(grantee);
        if rights.without(before).is_empty() {
            return Ok(None);
        }
        if before.is_empty() && table.grants.len() >= grantees_max {
            return Err(CatalogError::TooMany { what: "grantees of a table", max: grantees_max });
        }
        table.set_granted(grantee, before.and(rights));
        self.revise(table, self.header(), &[]).map(Some)
    }

    /// Takes back rights that were granted. `None`: none of them was granted to this very grantee.
    ///
    /// # Errors
    /// [`CatalogError`] when there is no such table, or it is not SHARED.
    pub fn revoke(
        &self,
        name: &TableName,
        grantee: &Grantee,
        rights: Rights,
    ) -> Result<Option<TableRevision>, CatalogError> {
        let mut table = self.table_with_grants(name)?;
        let before = table.granted_to(grantee);
        if before.among(rights).is_empty() {
            return Ok(None);
        }
        table.set_granted(grantee, before.without(rights));
        self.revise(table, self.header(), &[]).map(Some)
    }

    /// Takes back all that was granted to a user, in every table. Nothing, if nothing was.
    ///
    /// # Errors
    /// [`CatalogError::Encode`].
    pub fn forget_user(&self, user: &UserId) -> Result<WriteSet, CatalogError> {
        let grantee = Grantee::User(user.clone());
        let mut writes = WriteSet::default();
        for table in self.tables().filter(|table| !table.granted_to(&grantee).is_empty()) {
            let mut table = table.as_ref().clone();
            table.set_granted(&grantee, Rights::NONE);
            writes.records.extend(self.revise(table, self.header(), &[])?.writes.records);
        }
        Ok(writes)
    }

    fn table_with_grants(&self, name: &TableName) -> Result<TableDef, CatalogError> {
        let table = self.changeable_table(name)?;
        match table.kind {
            TableKind::Shared => Ok(table.as_ref().clone()),
            TableKind::User | TableKind::Stream => Err(CatalogError::GrantsWithoutShared(name.clone())),
        }
    }
}

impl TableDef {
    fn set_granted(&mut self, grantee: &Grantee, rights: Rights) {
        self.grants.retain(|grant| grant.grantee != *grantee);
        if !rights.is_empty() {
            self.grants.push(Grant { grantee: grantee.clone(), rights });
            self.grants.sort_unstable_by(|a, b| a.grantee.cmp(&b.grantee));
        }
    }
}
