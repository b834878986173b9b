//! What there is to choose from: engines, SKUs, images.

use super::args::{EnginesArgs, ImageArgs, ImagesCommand};
use super::client::{self, Change, typed};
use super::exit::Result;
use super::instances::{limits, short_digest};
use super::output::{Rows, bytes, mib};
use super::session::Session;
use crate::api::{EngineView, ImageRequest, ImageView, SkuView};

/// `fluxdb engines`
///
/// # Errors
/// As the API says.
pub fn engines(session: &Session, args: &EnginesArgs) -> Result {
    let client = session.client()?;
    if let Some(engine) = &args.engine {
        let answer = client.get(&format!("/engines/{}", fluxdb_adapters::quote::percent(engine)), &[])?;
        return if session.out.json {
            session.out.value(&answer.body)
        } else {
            engine_detail(session, typed(answer.body)?)
        };
    }
    let items = client.all("/engines")?;
    let table = |items: Vec<_>| {
        let mut rows =
            Rows::new(&["engine", "title", "category", "versions", "default", "port", "least memory", "tested"]);
        for item in items {
            let e: EngineView = typed(item)?;
            let versions: Vec<_> = e.versions.iter().map(|v| v.id.clone()).collect();
            let ports: Vec<_> = e.ports.values().map(u16::to_string).collect();
            rows.push([
                e.id,
                e.title,
                e.category,
                versions.join(" "),
                e.default_version,
                ports.join(" "),
                mib(e.minimum_memory_mib.into()),
                e.verified,
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "There is no engine.")
}

fn engine_detail(session: &Session, e: EngineView) -> Result {
    let able: Vec<String> = e.capabilities.into_iter().filter(|(_, can)| *can).map(|(name, _)| name).collect();
    session.out.pairs(&[
        ("Engine", format!("{} ({})", e.title, e.id)),
        ("Category", e.category),
        ("Licence", e.license),
        ("Least memory", mib(e.minimum_memory_mib.into())),
        ("Abilities", able.join(", ")),
    ])?;
    session.out.line("")?;
    let mut rows = Rows::new(&["version", "image", "fixed until", "can be built", "not in this version"]);
    for v in e.versions {
        let until = if v.ended { format!("{} (ended)", v.end_of_life) } else { v.end_of_life };
        let id = if v.id == e.default_version { format!("{} (default)", v.id) } else { v.id };
        let lacks: Vec<_> = able.iter().filter(|a| v.capabilities.get(*a) != Some(&true)).map(String::as_str).collect();
        let built = if v.buildable { "yes" } else { "no" }.to_owned();
        rows.push([id, v.image, until, built, lacks.join(", ")]);
    }
    session.out.table(&rows)
}

/// `fluxdb skus`
///
/// # Errors
/// As the API says.
pub fn skus(session: &Session) -> Result {
    let items = session.client()?.all("/skus")?;
    let table = |items: Vec<_>| {
        let mut rows = Rows::new(&[
            "sku",
            "series",
            "vcpu",
            "memory",
            "storage",
            "room",
            "limits on this host",
            "why there is no room",
        ]);
        for item in items {
            let s: SkuView = typed(item)?;
            let room = if s.available { "yes" } else { "no" }.to_owned();
            let limits = if s.enforced { limits(&s.limits) } else { "not enforced (fluxdb doctor)".into() };
            rows.push([
                s.id,
                format!("{} {}", s.series, s.title.to_lowercase()),
                s.vcpu.to_string(),
                mib(s.memory_mib.into()),
                format!("{} GiB", s.storage_gib),
                room,
                limits,
                s.reason.unwrap_or_default(),
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "There is no SKU.")
}

/// `fluxdb images`
///
/// # Errors
/// As the API says.
pub fn images(session: &Session, command: &ImagesCommand) -> Result {
    match command {
        ImagesCommand::List => list(session),
        ImagesCommand::Pull(args) => get(session, args, "pull", "pulled"),
        ImagesCommand::Build(args) => get(session, args, "build", "built"),
    }
}

fn list(session: &Session) -> Result {
    let items = session.client()?.all("/images")?;
    let table = |items: Vec<_>| {
        let mut rows = Rows::new(&["engine", "version", "here", "size", "id", "can be built", "template", "reference"]);
        let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
        for item in items {
            let i: ImageView = typed(item)?;
            let size = if i.present { bytes(i.size_bytes) } else { String::new() };
            rows.push([
                i.engine,
                i.version,
                yes(i.present),
                size,
                short_digest(&i.digest),
                yes(i.buildable),
                yes(i.template),
                i.reference,
            ]);
        }
        Ok(rows)
    };
    session.out.items(items, table, "There is no image.")
}

fn get(session: &Session, args: &ImageArgs, how: &str, done: &str) -> Result {
    let client = session.client()?;
    let request = ImageRequest { engine: args.engine.clone(), version: args.version.clone() };
    let path = format!("/images/{how}");
    let change = Change { method: "POST", path: &path, body: Some(client::json(&request)?), if_match: None };
    let accepted = session.change(&client, change, args.wait)?;
    let version = args.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    session.report(&accepted, &format!("The image of {}{version} is {done}.", args.engine))
}
