//! The store in SQLite keeps the laws of the port, in memory and in a file.

mod in_memory {
    use cloudstack_usage_store::SqliteStore;

    cloudstack_usage::store_conformance!(SqliteStore::in_memory().unwrap());
}

mod in_a_file {
    use cloudstack_usage_store::SqliteStore;

    cloudstack_usage::store_conformance!(
        folder = tempfile::tempdir().unwrap();
        SqliteStore::open(folder.path().join("usage.sqlite")).unwrap()
    );
}
