//! Named points inside long work where a test can end the daemon as `kill -9` would.
//!
//! Only in builds with debug assertions: `FLUXDB_TEST_FAULT=create:start:before` makes the process kill itself
//! there. Release builds do not look.

/// Ends the process here when the environment says so.
pub fn point(operation: &str, step: &str, when: &str) {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        static WANTED: OnceLock<Option<String>> = OnceLock::new();
        let wanted = WANTED.get_or_init(|| std::env::var("FLUXDB_TEST_FAULT").ok());
        if wanted.as_deref().is_some_and(|w| w == format!("{operation}:{step}:{when}")) {
            // SIGKILL, not abort or exit: nothing may be tidied up on the way out.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = (operation, step, when);
}
