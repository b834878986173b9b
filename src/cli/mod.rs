//! The command line: reads what was asked, does it, and ends with an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub mod access;
pub mod args;
pub mod catalogue;
pub mod changes;
pub mod client;
pub mod conformance;
pub mod connect;
pub mod exit;
pub mod follow;
pub mod host;
pub mod instances;
pub mod local;
pub mod operations;
pub mod output;
pub mod serve;
pub mod session;

use args::{Cli, Command};
use exit::{CliError, Exit, Result};
use session::Session;

/// The whole program: what `main` calls.
pub fn main() -> ExitCode {
    let cli = Cli::parse(); // ends with 2 (usage) by itself
    if matches!(cli.command, Command::VolumeHelper) {
        return crate::runtime::podman::helper::helper_main();
    }
    let session = Session::new(cli.global);
    match run(&session, cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.is_broken_pipe() => ExitCode::SUCCESS,
        Err(e) => {
            complain(&session, &e);
            ExitCode::from(e.exit as u8)
        }
    }
}

fn run(session: &Session, command: Command) -> Result {
    match command {
        Command::Create(args) => changes::create(session, &args),
        Command::List(args) => instances::list(session, &args),
        Command::Show(args) => instances::show(session, &args),
        Command::Start(args) => changes::act(session, &args, "start", "runs"),
        Command::Stop(args) => changes::act(session, &args, "stop", "is stopped; its data stays"),
        Command::Restart(args) => changes::restart(session, &args),
        Command::Delete(args) => changes::delete(session, &args),
        Command::Resize(args) => changes::resize(session, &args),
        Command::Update(args) => changes::update(session, &args),
        Command::Connect(args) => connect::connect(session, &args),
        Command::Url(args) => instances::url(session, &args),
        Command::Engines(args) => catalogue::engines(session, &args),
        Command::Skus => catalogue::skus(session),
        Command::Images(command) => catalogue::images(session, &command),
        Command::Operations(command) => operations::operations(session, &command),
        Command::Events(args) => operations::events(session, &args),
        Command::Doctor(args) => host::doctor(session, &args),
        Command::Status => host::status(session),
        Command::Token(command) => access::token(session, &command),
        Command::Audit(args) => access::audit(session, &args),
        Command::Enable(args) => local::enable(session, &args),
        Command::Disable => local::disable(session),
        Command::Conformance(args) => conformance::conformance(session, &args),
        Command::Completions { shell } => completions(shell),
        Command::Serve(args) => serve::serve(session, &args),
        Command::Openapi => Ok(std::io::stdout().lock().write_all(crate::http::openapi::document().as_bytes())?),
        Command::VolumeHelper => Ok(()), // `main` has it: it needs no session
    }
}

fn completions(shell: clap_complete::Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fluxdb", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}

fn complain(session: &Session, error: &CliError) {
    match &error.problem {
        Some(problem) if session.out.json => session.out.remark(format!("{problem:#}")),
        _ if error.exit == Exit::Ok => {}
        _ => session.out.remark(format!("fluxdb: {error}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
                if sub.has_subcommands() {
                    check(sub);
                    continue;
                }
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Examples:\n  fluxdb "), "{} has no example", sub.get_name());
                assert!(sub.get_about().is_some(), "{} says not what it does", sub.get_name());
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn the_examples_in_the_help_are_understood() {
        fn lines(command: &clap::Command, out: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            out.extend(help.lines().filter_map(|l| l.strip_prefix("  fluxdb ")).map(str::to_owned));
            command.get_subcommands().for_each(|sub| lines(sub, out));
        }
        let mut all = Vec::new();
        lines(&Cli::command(), &mut all);
        assert!(all.len() > 20);
        for line in all {
            // Up to what a shell or a reader takes for itself.
            let end = ["  (", " | ", " > ", " < ", " && "].iter().filter_map(|mark| line.find(mark)).min();
            let words = line[..end.unwrap_or(line.len())].replace('\'', "");
            let parsed = Cli::try_parse_from(std::iter::once("fluxdb").chain(words.split_whitespace()));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn waiting_is_the_default_and_the_last_word_counts() {
        let waits =
            |words: &[&str]| match Cli::try_parse_from([&["fluxdb", "start", "x"], words].concat()).unwrap().command {
                Command::Start(args) => args.wait.waits(),
                other => panic!("{other:?}"),
            };
        assert!(waits(&[]) && waits(&["--no-wait", "--wait"]) && !waits(&["--wait", "--no-wait"]));
    }

    #[test]
    fn a_password_cannot_be_an_argument() {
        let text = Cli::command().find_subcommand_mut("create").unwrap().render_long_help().to_string();
        assert!(text.contains("--password-stdin") && !text.contains("--password "), "{text}");
        assert!(Cli::try_parse_from(["fluxdb", "create", "x", "--engine", "redis", "--password", "geheim"]).is_err());
    }

    #[test]
    fn nothing_to_change_is_a_usage_error() {
        assert!(Cli::try_parse_from(["fluxdb", "resize", "x"]).is_err());
        assert!(Cli::try_parse_from(["fluxdb", "update", "x", "--protect", "--no-protect"]).is_err());
        assert!(Cli::try_parse_from(["fluxdb", "create", "x", "--engine", "redis", "--label", "nolabel"]).is_err());
    }
}
