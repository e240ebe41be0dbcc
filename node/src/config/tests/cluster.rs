use super::*;

const TOKEN: &str = "vlt_jt_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQECAgICAgICAgICAgICAgICAgICAg";

fn bound(address: &str) -> World {
    World::good().env("NODE_NAME", "node-1").env("CLUSTER_BIND", address)
}

#[test]
fn a_node_is_alone_unless_it_is_given_a_cluster_port() {
    assert!(World::good().config().cluster.is_none());
    assert!(World::good().env("ZONE", "a").config().cluster.is_none());
    for (address, advertised) in [
        ("0.0.0.0:7400", "node-1:7400"),
        ("[::]:7400", "node-1:7400"),
        ("10.0.0.1:7400", "10.0.0.1:7400"),
        ("[fd00::1]:7400", "[fd00::1]:7400"),
    ] {
        let cluster = bound(address).config().cluster.unwrap();
        assert_eq!((cluster.bind.to_string().as_str(), cluster.zone.as_str()), (address, ""));
        assert_eq!(cluster.advertise, advertised, "{address}");
        assert!(cluster.join.is_none());
    }
    let named = bound("0.0.0.0:7400").env("CLUSTER_ADVERTISE", "a.example:7500").env("ZONE", "z");
    let cluster = named.config().cluster.unwrap();
    assert_eq!((cluster.advertise.as_str(), cluster.zone.as_str()), ("a.example:7500", "z"));
}

#[test]
fn a_node_joins_with_an_address_and_a_token() {
    let world = bound("0.0.0.0:7400").env("JOIN", "node-2.example:7400");
    let join = |world: World| world.config().cluster.unwrap().join.unwrap();
    let joins = join(world.env("JOIN_TOKEN", TOKEN));
    assert_eq!((joins.host.as_str(), joins.token.expose()), ("node-2.example:7400", TOKEN));
    let by_flags = bound("0.0.0.0:7400").flag("JOIN", "b:1").flag("JOIN_TOKEN", TOKEN);
    assert_eq!(join(by_flags).host, "b:1");
    let by_file = bound("0.0.0.0:7400").env("JOIN", "b:1").env("JOIN_TOKEN_FILE", "token");
    assert_eq!(join(by_file.file("token", &format!("{TOKEN}\n"))).token.expose(), TOKEN);
}

#[test]
fn what_does_not_go_together_is_said() {
    let joining = || bound("0.0.0.0:7400").env("JOIN", "b:1").env("JOIN_TOKEN", TOKEN);
    assert!(joining().load().is_ok());
    for (world, part) in [
        (World::good().env("JOIN", "b:1").env("JOIN_TOKEN", TOKEN), "needs CLUSTER_BIND"),
        (bound("0.0.0.0:7400").env("JOIN", "b:1"), "needs JOIN_TOKEN"),
        (bound("0.0.0.0:7400").env("JOIN_TOKEN", TOKEN), "needs JOIN:"),
        (bound("0.0.0.0:7400").env("CLUSTER_ADVERTISE", "0.0.0.0:7400"), "can call"),
        (bound("0.0.0.0:7400").env("CLUSTER_ADVERTISE", "node-1"), "host and a port"),
        (bound("0.0.0.0:7400").env("NODE_NAME", "node_1"), "not a host name"),
        (bound("10.0.0.1:0").env("CLUSTER_ADVERTISE", "a:7400"), "must name a port"),
        (joining().env("JOIN_TOKEN", "too short"), "at least 64 bytes"),
    ] {
        let problems = world.problems();
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
    }
    let open = World::new().dev().env("CLUSTER_BIND", "0.0.0.0:7400").problems();
    assert!(open.iter().any(|problem| problem.contains("with --dev")), "{open:?}");
    assert!(World::new().dev().env("CLUSTER_BIND", "127.0.0.1:7400").load().is_ok());
}
