//! Initialised data directories that can be copied.

/// Access to the files of a stopped data volume; implemented where the files are.
pub trait DataFiles {
    /// Reads a whole file; path relative to the volume's root.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>>;
    /// Overwrites `bytes` at `offset` of an existing file.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()>;
    /// Names in a directory, not sorted.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn list(&self, path: &str) -> std::io::Result<Vec<String>>;
    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn remove(&self, path: &str) -> std::io::Result<()>;
}

/// An initialised data directory may be copied: what must differ in each copy.
pub trait Seed: Sync {
    /// Makes a copy its own: fresh identifiers. `unique` is random.
    ///
    /// # Errors
    /// A sentence; the copy is then thrown away and the instance is initialised in the ordinary way.
    fn personalise(&self, files: &dyn DataFiles, unique: u64) -> Result<(), String>;
}
