//! Samples of what clients register for logout and of what is still to be told.

use identity::{
    command::Command,
    logout::{self, ClientRules, Leaving, Notice, Pending},
};

use crate::{
    Sample,
    records::{AT, CLIENT, SESSION, USER},
    sample,
};

fn rules() -> ClientRules {
    ClientRules {
        post_logout_redirect_uris: vec!["https://app.example/bye".into()],
        frontchannel_logout_uri: Some("https://app.example/front".into()),
        backchannel_logout_uri: Some("https://app.example/back".into()),
        ..ClientRules::none(CLIENT)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let pending = [(CLIENT, Pending { attempts: 2, due_at_ms: AT })].into();
    vec![
        sample("logout-rules", rules()),
        sample("logout-rules-none", ClientRules::none(CLIENT)),
        sample("notice", Notice { session: SESSION, revision: 3, user: USER, pending }),
        sample("leaving", Leaving { user: USER, revision: 1 }),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let (session, client, attempts) = (SESSION, CLIENT, 2);
    let all = [
        logout::Command::SetRules { rules: Box::new(rules()), expected: Some(1) },
        logout::Command::Delivered { session, client },
        logout::Command::Failed { session, client, attempts, reason: "status 500".into() },
    ];
    all.map(Command::Logout).into()
}
