//! Rendered files, checked by the engine's own test of them: for every SKU, not only for the one that runs.

use fluxdb_adapters::{ConfigTest, Cx, Exec, Secret};

use super::rig::CALL_LIMIT;
use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::sku::SKUS;
use crate::domain::{Error, Result};

/// Every size that is sold is a file that the server would start with; and the test does see what is wrong.
pub(super) async fn config_test(rig: &mut Rig) -> Verdict {
    let mut cx = rig.cx().await?;
    let Some(test) = rig.engine.config_test(&cx) else {
        return not_offered("the server has no test of its configuration");
    };
    let floor = rig.engine.facts().floor.memory_mib;
    let mut last = String::new();
    for sku in SKUS.iter().filter(|s| s.size.memory_mib >= floor) {
        cx.size = sku.size;
        let text = rendered(rig, &cx, &test)?;
        // Sizes that differ in storage alone come to the same file.
        if text == last {
            continue;
        }
        if let Some(why) = refused(rig, &test, text.clone()).await? {
            return failed(format!("{} of {}: {why}", test.file, sku.id));
        }
        last = text;
    }
    match refused(rig, &test, format!("{last}\n{}\n", test.wrong)).await? {
        Some(_) => Ok(Outcome::Passed),
        None => failed(format!("it takes {:?} in {}, so it tests nothing", test.wrong, test.file)),
    }
}

fn rendered(rig: &Rig, cx: &Cx, test: &ConfigTest) -> Result<String> {
    let launch = rig.engine.launch(cx).map_err(Error::internal)?;
    let file = launch.files.iter().find(|f| f.name == test.file);
    let file = file.ok_or_else(|| Error::internal(format!("{} is not rendered", test.file)))?;
    Ok(file.content.expose().to_owned())
}

/// What the server says against it.
async fn refused(rig: &Rig, test: &ConfigTest, text: String) -> Result<Option<String>> {
    let exec = Exec {
        argv: ["sh", "-c", test.script].map(Into::into).into(),
        env: Vec::new(),
        login: false,
        stdin: Secret::new(text),
        refused_when: "",
    };
    let output = rig.app.core.runtime.exec(&rig.container()?, &exec, CALL_LIMIT).await?;
    let words = format!("{}\n{}", output.stdout.trim(), output.stderr.trim());
    Ok((output.code != 0).then(|| words.trim().chars().take(600).collect()))
}
