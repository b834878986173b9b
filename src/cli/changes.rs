//! Changing instances: create, start, stop, restart, resize, update, delete.

use std::io::{BufRead, IsTerminal, Read, Write};

use super::args::{ChangeArgs, CreateArgs, DeleteArgs, ResizeArgs, RestartArgs, UpdateArgs};
use super::client::{self, Change};
use super::exit::{CliError, Exit, Result};
use super::output::mib;
use super::session::Session;
use crate::api::{CreateInstance, DryRun, Instance, PatchInstance};

/// `fluxdb create`
///
/// # Errors
/// As the API says.
pub fn create(session: &Session, args: &CreateArgs) -> Result {
    let request = CreateInstance {
        settings: args.settings.iter().cloned().collect(),
        name: args.name.clone(),
        engine: args.engine.clone(),
        version: args.version.clone(),
        sku: args.sku.clone(),
        storage_gib: args.storage,
        project: session.global.project.clone(),
        region: args.region.clone(),
        labels: args.labels.iter().cloned().collect(),
        database: args.database.clone(),
        username: args.username.clone(),
        password: password(session, args.password_stdin)?,
        port: args.port,
        deletion_protection: args.protect,
        egress: args.egress,
    };
    let client = session.client()?;
    let body = Some(client::json(&request)?);
    let change = Change { method: "POST", path: "/databases", body, if_match: None };
    if args.dry_run {
        let answer = client.change(change, &[("dry_run", "true")])?;
        return dry_run(session, answer.body);
    }
    let accepted = session.change(&client, change, args.wait)?;
    if session.out.json || !args.wait.waits() {
        return session.report(&accepted, "");
    }
    let Some(i) = &accepted.instance else { return session.report(&accepted, "Done.") };
    session.out.remark(format!("{} is ready: {} {} on {}.", i.name, i.engine, i.version, i.sku));
    session.out.line(&i.endpoint.uri_masked)?;
    session.out.remark(format!("With the password: fluxdb url {0} --reveal. A shell: fluxdb connect {0}", i.name));
    Ok(())
}

fn password(session: &Session, from_stdin: bool) -> Result<Option<String>> {
    if !from_stdin {
        return Ok(session.env.get("FLUXDB_NEW_PASSWORD").filter(|p| !p.is_empty()).cloned());
    }
    let mut text = String::new();
    // More than any password may have; the API refuses what is too long.
    std::io::stdin().lock().take(4096).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    if text.is_empty() {
        return Err(CliError::usage("--password-stdin: there is nothing on standard input."));
    }
    Ok(Some(text.to_owned()))
}

fn dry_run(session: &Session, body: serde_json::Value) -> Result {
    if session.out.json {
        return session.out.value(&body);
    }
    let plan: DryRun = client::typed(body)?;
    let i = &plan.instance;
    let verdict = if plan.admission.admitted { "there is room".into() } else { plan.admission.reasons.join("; ") };
    session.out.pairs(&[
        ("Instance", format!("{} ({} {}, {})", i.name, i.engine, i.version, i.sku)),
        ("Endpoint", format!("{}:{}", i.endpoint.host, i.endpoint.port)),
        ("Image", format!("{} ({})", i.image.reference, plan.image_source)),
        ("Admission", verdict),
        (
            "",
            format!(
                "memory asked {}, left {}",
                mib(plan.admission.memory_mib_asked),
                mib(plan.admission.memory_mib_available)
            ),
        ),
        ("", format!("vCPU asked {}, left {}", plan.admission.vcpu_asked, plan.admission.vcpu_available)),
    ])?;
    for (path, text) in &plan.files {
        session.out.line(format!("\n--- {path}\n{}", text.trim_end()))?;
    }
    session.out.line("\n--- container")?;
    session.out.value(&client::json(&plan.container)?)?;
    if plan.admission.admitted {
        return Ok(());
    }
    Err(CliError::new(Exit::NoCapacity, "The host has no room for it.").note("See: fluxdb skus"))
}

/// `fluxdb start`, `stop`, `restart`
///
/// # Errors
/// As the API says.
pub fn act(session: &Session, args: &ChangeArgs, action: &str, done: &str) -> Result {
    let client = session.client()?;
    let (instance, _) = session.find(&client, &args.name)?;
    let path = format!("/databases/{}/{action}", instance.id);
    let change = Change { method: "POST", path: &path, body: None, if_match: None };
    let accepted = session.change(&client, change, args.wait)?;
    session.report(&accepted, &format!("{} {done}.", instance.name))
}

/// `fluxdb restart`
///
/// # Errors
/// As the API says; `no_account_repair` where the engine has no way.
pub fn restart(session: &Session, args: &RestartArgs) -> Result {
    let (action, done) = match args.repair_account {
        true => ("restart?repair_account=true", "was restarted, and fluxdb's account in it restored"),
        false => ("restart", "was restarted"),
    };
    act(session, &args.change, action, done)
}

/// `fluxdb resize`
///
/// # Errors
/// As the API says.
pub fn resize(session: &Session, args: &ResizeArgs) -> Result {
    let client = session.client()?;
    let (instance, answer) = session.find(&client, &args.name)?;
    let patch = PatchInstance { sku: args.sku.clone(), storage_gib: args.storage, ..PatchInstance::default() };
    let path = format!("/databases/{}", instance.id);
    let change = Change { method: "PATCH", path: &path, body: Some(client::json(&patch)?), if_match: answer.etag };
    let accepted = session.change(&client, change, args.wait)?;
    let now = accepted.instance.as_ref().unwrap_or(&instance);
    let text = format!(
        "{} is {}: {} vCPU, {}, {} GiB.",
        now.name,
        now.sku,
        now.size.vcpu,
        mib(now.size.memory_mib.into()),
        now.size.storage_gib
    );
    session.report(&accepted, &text)
}

/// `fluxdb update`
///
/// # Errors
/// As the API says; `Conflict` when somebody else changed the instance meanwhile.
pub fn update(session: &Session, args: &UpdateArgs) -> Result {
    let client = session.client()?;
    let (instance, answer) = session.find(&client, &args.name)?;
    let patch = patch(args, &instance)?;
    let path = format!("/databases/{}", instance.id);
    let change = Change { method: "PATCH", path: &path, body: Some(client::json(&patch)?), if_match: answer.etag };
    let accepted = session.change(&client, change, args.wait)?;
    session.report(&accepted, &format!("{} is changed.", args.rename.as_ref().unwrap_or(&instance.name)))
}

fn patch(args: &UpdateArgs, instance: &Instance) -> Result<PatchInstance> {
    let labels = (!args.labels.is_empty() || !args.unlabel.is_empty()).then(|| {
        let mut labels = instance.labels.clone();
        labels.retain(|key, _| !args.unlabel.contains(key));
        labels.extend(args.labels.iter().cloned());
        labels
    });
    let switch = |on: bool, off: bool| if on { Some(true) } else { off.then_some(false) };
    let deletion_protection = switch(args.protect, args.no_protect);
    let egress = switch(args.egress, args.no_egress);
    if labels.is_none() && deletion_protection.is_none() && egress.is_none() && args.rename.is_none() {
        let text =
            "Say what to change: --rename, --label, --unlabel, --protect, --no-protect, --egress or --no-egress.";
        return Err(CliError::usage(text));
    }
    Ok(PatchInstance { name: args.rename.clone(), labels, deletion_protection, egress, ..PatchInstance::default() })
}

/// `fluxdb delete`
///
/// # Errors
/// As the API says, or the name was not confirmed.
pub fn delete(session: &Session, args: &DeleteArgs) -> Result {
    let client = session.client()?;
    let (instance, _) = session.find(&client, &args.name)?;
    if !args.yes {
        confirm(&instance)?;
    }
    let path = format!("/databases/{}", instance.id);
    let change = Change { method: "DELETE", path: &path, body: None, if_match: None };
    let accepted = session.change(&client, change, args.wait)?;
    session.report(&accepted, &format!("{} is deleted.", instance.name))
}

fn confirm(instance: &Instance) -> Result {
    let name = &instance.name;
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage(format!(
            "Deleting {name} removes all of its data; say --yes where nobody can be asked."
        )));
    }
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "This deletes {name} ({} {}, {}:{}) with its data volume:",
        instance.engine, instance.version, instance.endpoint.host, instance.endpoint.port
    )?;
    writeln!(err, "every database, account and row in it. There is no way back.")?;
    write!(err, "Type the name to go on: ")?;
    err.flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == name {
        return Ok(());
    }
    Err(CliError::failed("That is not its name; nothing was deleted."))
}
