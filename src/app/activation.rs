//! What the operator changes in the state itself, without a daemon: whether the module is enabled, a lost token.

use crate::app::tokens;
use crate::config::DataConfig;
use crate::domain::{Error, Result};
use crate::store::{Store, meta};

/// Prepares the state (directory, migrations) and notes whether the module is enabled. Answers whether it was before;
/// an installation without a note is enabled. The second time nothing changes.
///
/// # Errors
/// The directory cannot be made (`data_dir_unusable`); what the store says.
pub async fn set_enabled(data: &DataConfig, enabled: bool) -> Result<bool> {
    make_private_dir(data)?;
    let store = Store::open(&data.state_file(), 1)?;
    store
        .write(move |tx| {
            let was = meta::get(tx, meta::ENABLED)?;
            meta::set(tx, meta::ENABLED, if enabled { "true" } else { "false" })?;
            Ok(was.is_none_or(|v| v != "false"))
        })
        .await
}

/// Replaces the local administrator's token and its file.
///
/// # Errors
/// What the store says; `admin_token_file`.
pub async fn reset_admin_token(data: &DataConfig) -> Result<()> {
    let store = Store::open(&data.state_file(), 1)?;
    // Without the master key: the operator's shell seldom has the service's environment and credentials.
    tokens::reset_admin_token(&store, &data.dir).await.map(drop)
}

/// Makes the data directory for its owner alone. One that is there is fine.
///
/// # Errors
/// `data_dir_unusable`
pub fn make_private_dir(data: &DataConfig) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&data.dir).map_err(|e| {
        Error::unavailable(
            "data_dir_unusable",
            format!(
                "The data directory {} cannot be made: {e}. Name another with --data-dir or FLUXDB_DATA_DIR.",
                data.dir.display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_was_said_last_counts_and_data_stays_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let data = DataConfig { dir: dir.path().join("a/b"), ..DataConfig::default() };
        assert!(set_enabled(&data, false).await.unwrap(), "a new installation counts as enabled");
        assert!(!set_enabled(&data, true).await.unwrap());
        assert!(set_enabled(&data, true).await.unwrap());
        let mode = std::fs::metadata(&data.dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
