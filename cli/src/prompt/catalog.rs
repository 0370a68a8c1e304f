//! What there is to name: namespaces, tables and their columns, as the server last told.

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its columns and their types, in order.
    pub columns: Vec<(String, String)>,
}

/// Everything the user may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The namespaces.
    pub namespaces: Vec<String>,
    /// The tables.
    pub tables: Vec<Table>,
    /// Where names without a namespace look.
    pub current: String,
}

impl Catalog {
    /// Reads the rows `namespace, table, column, type` of `system.columns`, in order, and the namespaces.
    #[must_use]
    pub fn new(namespaces: Vec<String>, columns: Vec<[String; 4]>, current: String) -> Self {
        let mut tables: Vec<Table> = Vec::new();
        for [namespace, name, column, data_type] in columns {
            let same = |table: &&mut Table| table.namespace == namespace && table.name == name;
            match tables.last_mut().filter(same) {
                Some(table) => table.columns.push((column, data_type)),
                None => tables.push(Table { namespace, name, columns: vec![(column, data_type)] }),
            }
        }
        Catalog { namespaces, tables, current }
    }

    /// The table that `namespace.name`, or `name` alone, stands for.
    #[must_use]
    pub fn table(&self, namespace: Option<&str>, name: &str) -> Option<&Table> {
        let namespace = namespace.unwrap_or(&self.current);
        self.tables.iter().find(|table| table.namespace == namespace && table.name == name)
    }
}
