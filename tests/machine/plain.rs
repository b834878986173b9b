//! cpu is not delegated: memory and processes are limited, and what is not enforced is said with the way to change it.

use serde_json::json;

use crate::VALKEY;
use crate::guest::{Guest, on_a_sound_machine};

const USER: &str = "plain";

#[test]
fn limits_that_cannot_be_enforced_are_said_with_the_fix() {
    on_a_sound_machine(said_with_the_fix);
}

fn said_with_the_fix() {
    let guest = Guest::boot(&[VALKEY]);
    guest.serve(USER, &[VALKEY]);
    guest.fluxdb(USER, "create demo --engine valkey --sku B1s");
    let instance = guest.json(USER, "show demo");
    assert_eq!((&instance["state"], &instance["health"]), (&"RUNNING".into(), &"UP".into()), "{instance:#}");
    let limits = &instance["limits"];
    assert_eq!(limits["enforced"], false, "{instance:#}");
    let reason = limits["reason"].as_str().unwrap();
    assert!(reason.contains("cpu") && reason.contains("Delegate="), "{reason}");
    assert_eq!(limits["effective"]["memory_bytes"], 1024_u64 << 20, "{limits:#}");
    assert_eq!(
        (&limits["effective"]["pids"], &limits["effective"]["cpu_quota_us"]),
        (&limits["asked"]["pids"], &json!(null))
    );
    assert!(limits["effective"]["pids"].is_u64(), "{limits:#}");
    assert_eq!(instance["badges"], json!(["LIMITS_NOT_ENFORCED"]));
    let doctor = guest.fluxdb(USER, "doctor");
    assert!(
        doctor.contains("memory and processes are limited; cpu not delegated") && doctor.contains("Delegate="),
        "{doctor}"
    );

    // The fix that was named is one. The machine was rebooted for it: what should run runs again, and limits count.
    guest.run(
        "root",
        "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' > /etc/systemd/system/user@1001.service.d/delegate.conf",
    );
    guest.reboot();
    guest.serve(USER, &[]);
    guest.settled(USER, "demo");
    guest.fluxdb(USER, "restart demo");
    let instance = guest.json(USER, "show demo");
    assert_eq!(instance["limits"]["enforced"], true, "{instance:#}");
    assert_eq!(instance["badges"], json!([]));
}
