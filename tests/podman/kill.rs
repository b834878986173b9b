//! The daemon is killed at chosen lines and at random moments; the next one finishes what it began, and loses nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::text;
use crate::home::Home;
use crate::lifecycle::write_and_check;
use crate::world::PASSWORD;

const CONFIG: &str = "[images]\npull = false\nbuild = false\n";

/// Where creates, resizes and deletes are cut short; one line is the life of one instance.
const LIVES: [[&str; 3]; 12] = [
    ["image:after", "stop:before", "stop:before"],
    ["template:before", "stop:after", "stop:after"],
    ["template:after", "remove:before", "remove:before"],
    ["volume:before", "remove:after", "remove:after"],
    ["volume:after", "container:before", "purge:before"],
    ["container:before", "container:after", "purge:after"],
    ["container:after", "start:before", "stop:before"],
    ["start:before", "start:after", "stop:after"],
    ["start:after", "ready:before", "remove:before"],
    ["ready:before", "ready:after", "remove:after"],
    ["ready:after", "stop:after", "purge:before"],
    ["credentials:before", "remove:after", "purge:after"],
];

fn lives_through(engine: &str, lives: &[[&str; 3]]) {
    let home = Home::new(CONFIG);
    let (write, check) = write_and_check(engine);
    for (number, [create, resize, delete]) in lives.iter().enumerate() {
        let began = Instant::now();
        let name = format!("demo-{number}");
        let body = json!({"name": name, "engine": engine, "sku": "B1s", "password": PASSWORD});
        home.start_to_die_at(&format!("create:{create}")).dies_over("POST", "/databases", Some(&body));

        let daemon = home.start();
        let made = daemon.newest_ended("create");
        assert_eq!(made["state"], "succeeded", "create:{create}: {made:#}");
        let id = text(&made["instance_id"]).to_owned();
        let instance = daemon.settles(&id, "RUNNING");
        assert_eq!(instance["health"], "UP", "create:{create}");
        daemon.query(&instance, PASSWORD, &write).unwrap_or_else(|e| panic!("create:{create}: {e:?}"));
        daemon.terminate();

        let path = format!("/databases/{id}");
        let bigger = json!({"sku": "B1ms"});
        home.start_to_die_at(&format!("resize:{resize}")).dies_over("PATCH", &path, Some(&bigger));
        let daemon = home.start();
        let resized = daemon.newest_ended("resize");
        assert_eq!(resized["state"], "succeeded", "resize:{resize}: {resized:#}");
        let after = daemon.settles(&id, "RUNNING");
        assert_eq!((&after["sku"], &after["endpoint"]), (&json!("B1ms"), &instance["endpoint"]));
        daemon.query(&after, PASSWORD, &check).unwrap_or_else(|e| panic!("resize:{resize}: {e:?}"));
        daemon.terminate();

        home.start_to_die_at(&format!("delete:{delete}")).dies_over("DELETE", &path, None);
        let daemon = home.start();
        let deleted = daemon.newest_ended("delete");
        assert_eq!(deleted["state"], "succeeded", "delete:{delete}: {deleted:#}");
        assert_eq!(daemon.call("GET", &path, None).status, 404);
        home.assert_nothing_left();
        println!("{engine}: {create}, {resize}, {delete}: {:?}", began.elapsed());
        daemon.terminate();
    }
}

#[test]
fn a_killed_daemon_finishes_what_it_began_with_postgresql() {
    lives_through("postgresql", &LIVES);
}

#[test]
fn a_killed_daemon_finishes_what_it_began_with_valkey() {
    lives_through("valkey", &LIVES);
}

#[test]
fn a_restart_that_was_cut_short_ends_with_the_data_there() {
    let home = Home::new(CONFIG);
    let (write, check) = write_and_check("valkey");
    let daemon = home.start();
    let instance = daemon.create("demo", "valkey", "B1s", PASSWORD);
    daemon.query(&instance, PASSWORD, &write).unwrap();
    let id = text(&instance["id"]);
    daemon.terminate();
    for point in ["stop:before", "stop:after", "start:before", "start:after", "ready:after"] {
        home.start_to_die_at(&format!("restart:{point}")).dies_over("POST", &format!("/databases/{id}/restart"), None);
        let daemon = home.start();
        let restarted = daemon.newest_ended("restart");
        assert_eq!(restarted["state"], "succeeded", "restart:{point}: {restarted:#}");
        let after = daemon.settles(id, "RUNNING");
        daemon.query(&after, PASSWORD, &check).unwrap_or_else(|e| panic!("restart:{point}: {e:?}"));
        daemon.terminate();
    }
    let daemon = home.start();
    daemon.delete(id);
    home.assert_nothing_left();
}

/// From outside, at no chosen line; the first ones fall into the making of the template.
#[test]
fn a_daemon_that_is_killed_at_any_moment_finishes_the_create() {
    let home = Home::new(CONFIG);
    let (write, check) = write_and_check("postgresql");
    for number in 0..5u64 {
        let pause = Duration::from_millis(u64::from(rand::random::<u16>()) % if number < 2 { 6000 } else { 1500 });
        println!("{number}: killed after {pause:?}");
        let daemon = home.start();
        let body =
            json!({"name": format!("demo-{number}"), "engine": "postgresql", "sku": "B1s", "password": PASSWORD});
        daemon.call("POST", "/databases", Some(&body)).expect(202);
        std::thread::sleep(pause);
        daemon.kill();
        let daemon = home.start();
        let made = daemon.newest_ended("create");
        assert_eq!(made["state"], "succeeded", "after {pause:?}: {made:#}");
        let id = text(&made["instance_id"]);
        let instance = daemon.settles(id, "RUNNING");
        daemon.query(&instance, PASSWORD, &write).unwrap();
        daemon.query(&instance, PASSWORD, &check).unwrap();
        daemon.delete(id);
        home.assert_nothing_left();
        daemon.terminate();
    }
}
