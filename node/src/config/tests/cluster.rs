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
    assert_eq!(joins.host, "node-2.example:7400");
    assert_eq!(joins.token.unwrap().expose(), TOKEN);
    let by_flags = bound("0.0.0.0:7400").flag("JOIN", "b:1").flag("JOIN_TOKEN", TOKEN);
    assert_eq!(join(by_flags).host, "b:1");
    let by_file = bound("0.0.0.0:7400").env("JOIN", "b:1").env("JOIN_TOKEN_FILE", "token");
    let by_file = join(by_file.file("token", &format!("{TOKEN}\n")));
    assert_eq!(by_file.token.unwrap().expose(), TOKEN);
}

#[test]
fn whoever_joined_keeps_join_and_may_do_away_with_the_token() {
    let why = |world: World| {
        let join = world.config().cluster.unwrap().join.unwrap();
        assert_eq!(join.host, "b:1");
        join.token.unwrap_err()
    };
    let joining = || bound("0.0.0.0:7400").env("JOIN", "b:1");
    assert_eq!(why(joining()), "JOIN_TOKEN is not set");
    for variable in ["JOIN_TOKEN_FILE", "VAULTARA_JOIN_TOKEN_FILE"] {
        let gone = why(joining().env(variable, "gone"));
        let named = format!("gone named by {variable}): cannot be read: ");
        assert!(gone.starts_with("JOIN_TOKEN (file ") && gone.contains(&named), "{gone}");
    }
    assert!(why(joining().file(".env", "JOIN_TOKEN_FILE=gone\n")).contains("gone"));
}

#[test]
fn no_lower_layer_stands_in_for_a_token_whose_file_is_gone() {
    let joining = |named: bool| {
        let world = bound("0.0.0.0:7400").env("JOIN", "b:1");
        if named { world.env("VAULTARA_JOIN_TOKEN_FILE", "gone") } else { world }
    };
    let toml = format!("join_token = \"{TOKEN}\"\n");
    let other = TOKEN.replace('A', "B");
    // Whether the environment names the file that is gone, `.env`, the file `kept`, what counts.
    for (named, dot_env, kept, wanted) in [
        (true, format!("JOIN_TOKEN={TOKEN}\n"), "", Err("VAULTARA_JOIN_TOKEN_FILE")),
        (true, "JOIN_TOKEN_FILE=kept\n".to_owned(), TOKEN, Err("VAULTARA_JOIN_TOKEN_FILE")),
        (true, "JOIN_TOKEN_FILE=gone2\n".to_owned(), "", Err("VAULTARA_JOIN_TOKEN_FILE")),
        // What is wrong in a lower layer is as little asked as if the file were there.
        (true, format!("JOIN_TOKEN={TOKEN}\nJOIN_TOKEN_FILE=kept\n"), "x", Err("gone named")),
        (true, String::new(), "", Err("VAULTARA_JOIN_TOKEN_FILE")),
        (false, "JOIN_TOKEN_FILE=gone2\n".to_owned(), "", Err("gone2 named by JOIN_TOKEN_FILE")),
        (false, "JOIN_TOKEN_FILE=kept\n".to_owned(), other.as_str(), Ok(other.as_str())),
        (false, String::new(), "", Ok(TOKEN)),
    ] {
        let world = joining(named).file(".env", &dot_env).file("kept", kept);
        let world = world.file("vaultara.toml", &toml);
        let token = world.config().cluster.unwrap().join.unwrap().token;
        match (&token, wanted) {
            (Ok(token), Ok(wanted)) => assert_eq!(token.expose(), wanted, "{dot_env}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{dot_env}: {why}"),
            (token, _) => panic!("{dot_env}: {token:?}"),
        }
        if wanted.is_err() {
            assert_eq!(world.origin("JOIN_TOKEN"), Origin::Default, "{dot_env}");
            let flagged = world.flag("JOIN_TOKEN", TOKEN).config().cluster.unwrap().join.unwrap();
            assert_eq!(flagged.token.unwrap().expose(), TOKEN, "{dot_env}");
        }
    }
}

#[test]
fn nothing_but_the_file_of_a_join_token_may_be_missing() {
    let joining = || bound("0.0.0.0:7400").env("JOIN", "b:1");
    for (world, part) in [
        (bound("0.0.0.0:7400").env("JOIN_TOKEN_FILE", "gone"), "JOIN_TOKEN (file "),
        (joining().env("JOIN_TOKEN_FILE", "empty").file("empty", ""), "at least 64 bytes"),
        (joining().env("JOIN_TOKEN_FILE", "folder").file("folder/file", ""), "cannot be read"),
        (joining().env("ZONE_FILE", "gone"), "ZONE (file "),
        (joining().env("MASTER_KEY_FILE", "gone"), "MASTER_KEY (file "),
    ] {
        let problems = world.problems();
        assert_eq!(problems.len(), 1, "{part}: {problems:?}");
        assert!(problems[0].contains(part), "{part}: {problems:?}");
    }
}

#[test]
fn what_does_not_go_together_is_said() {
    let joining = || bound("0.0.0.0:7400").env("JOIN", "b:1").env("JOIN_TOKEN", TOKEN);
    assert!(joining().load().is_ok());
    for (world, part) in [
        (World::good().env("JOIN", "b:1").env("JOIN_TOKEN", TOKEN), "needs CLUSTER_BIND"),
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
