//! The fluxdb binary: daemon and command line.

fn main() -> std::process::ExitCode {
    fluxdb::cli::main()
}
