//! Samples of what tenants set: how their pages look and what they say.

use identity::{
    branding::{self, Branding, Colour, Links, Logo, Look, Palette, Picture, Shown, Texts},
    command::Command,
    languages,
    profiles::{
        self,
        schema::{Access, Field, Kind, Schema},
    },
    sign_in_notices::{self, Severity, SignInNotice, SignInNoticeId},
    source_blocks::{self, SourceBlock, SourceBlockId},
};

use crate::{Sample, members::still_written, records::AT, sample};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\xff";

fn look() -> Look {
    let texts = Texts {
        title: Some("Anmelden".into()),
        greeting: Some("Grüezi".into()),
        footer: Some("Acme AG".into()),
    };
    let link = |name: &str| Some(format!("https://acme.example/{name}"));
    Look {
        display_name: Some("Acme".into()),
        accent: Some(Colour([15, 118, 250])),
        radius: Some(4),
        texts: [("de".into(), texts), ("en".into(), Texts::default())].into(),
        links: Links { privacy: link("privacy"), terms: link("terms"), support: link("support") },
        palette: Palette::default(),
    }
}

fn coloured() -> Look {
    let (background, text) = (Some(Colour([255, 247, 230])), Some(Colour([59, 47, 0])));
    Look { palette: Palette { background, surface: None, text }, ..look() }
}

fn languages() -> languages::Rules {
    let offered = ["de".into(), "fr".into()].into();
    languages::Rules { revision: 4, offered, default: "fr".into() }
}

/// A field of every kind, and of every access.
fn schema() -> Schema {
    use Kind::{Boolean, Choice, Date, Email, Number, Text, Url};
    let access = [Access::None, Access::Read, Access::Edit];
    let field = |(kind, person): (Kind, Access)| {
        let choices = if kind == Choice { ["a".into(), "b".into()].into() } else { [].into() };
        let labels = [("de".into(), "Feld".into())].into();
        let (required, administrators_edit) = (person == Access::Edit, kind != Text);
        Field { kind, choices, labels, required, person, administrators_edit }
    };
    let kinds = [Text, Number, Boolean, Date, Email, Url, Choice];
    let fields = kinds.into_iter().zip(access.into_iter().cycle()).map(field);
    let named = fields.enumerate().map(|(number, field)| (format!("field_{number}"), field));
    Schema { revision: 5, fields: named.collect() }
}

const NOTICE: SignInNoticeId = SignInNoticeId::from_bytes([18; 16]);

fn notice_settings() -> sign_in_notices::Settings {
    sign_in_notices::Settings {
        name: "maintenance".into(),
        texts: [("de".into(), "Wartung".into()), ("en".into(), "Maintenance".into())].into(),
        severity: Severity::Warning,
        begins_at_ms: Some(AT),
        ends_at_ms: Some(AT + 7_200_000),
        enabled: true,
    }
}

fn notice() -> SignInNotice {
    let new = SignInNotice::new(NOTICE, &notice_settings(), AT);
    SignInNotice { revision: 2, deleted_at_ms: Some(AT + 1), updated_at_ms: AT + 1, ..new }
}

fn notice_for_ever() -> SignInNotice {
    let severity = Severity::Info;
    SignInNotice { severity, begins_at_ms: None, ends_at_ms: None, enabled: false, ..notice() }
}

fn notice_commands() -> [Command; 3] {
    let (id, settings) = (NOTICE, notice_settings());
    let commands = [
        sign_in_notices::Command::Create { id, settings: settings.clone() },
        sign_in_notices::Command::Update { id, expected: Some(3), settings },
        sign_in_notices::Command::Delete { id, expected: None },
    ];
    commands.map(Command::SignInNotices)
}

const BLOCK: SourceBlockId = SourceBlockId::from_bytes([19; 16]);

fn block_settings(network: &str) -> source_blocks::Settings {
    source_blocks::Settings {
        network: network.parse().unwrap(),
        reason: "guesses passwords".into(),
        ends_at_ms: Some(AT + 7_200_000),
    }
}

fn block() -> SourceBlock {
    let new = SourceBlock::new(BLOCK, &block_settings("192.0.2.0/24"), AT);
    SourceBlock { revision: 2, deleted_at_ms: Some(AT + 1), updated_at_ms: AT + 1, ..new }
}

fn block_for_ever() -> SourceBlock {
    let network = "2001:db8::/32".parse().unwrap();
    SourceBlock { network, reason: String::new(), ends_at_ms: None, ..block() }
}

fn block_commands() -> [Command; 3] {
    let (id, settings) = (BLOCK, block_settings("192.0.2.0/24"));
    let commands = [
        source_blocks::Command::Create { id, settings: settings.clone() },
        source_blocks::Command::Update { id, expected: Some(3), settings },
        source_blocks::Command::Delete { id, expected: None },
    ];
    commands.map(Command::SourceBlocks)
}

pub(crate) fn samples() -> Vec<Sample> {
    let shown = Some(Shown { sha256: [251; 32], width: 400, height: 80 });
    vec![
        still_written("branding", Branding { revision: 2, look: look() }),
        still_written("branding-none", Branding::default()),
        sample("branding-2", Branding { revision: 2, look: coloured() }),
        sample("branding-2-none", Branding::default()),
        sample("logo", Logo { revision: 3, shown }),
        sample("logo-none", Logo::default()),
        sample("languages", languages()),
        sample("profile-schema", schema()),
        sample("logo-picture", Picture { png: PNG.into() }),
        sample("sign-in-notice", notice()),
        sample("sign-in-notice-for-ever", notice_for_ever()),
        sample("source-block", block()),
        sample("source-block-for-ever", block_for_ever()),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let expected = Some(2);
    let all = [
        branding::Command::set(expected, &look()),
        branding::Command::set(expected, &coloured()),
        branding::Command::SetLogo { expected, png: PNG.into(), width: 400, height: 80 },
        branding::Command::RemoveLogo { expected: None },
    ];
    let languages::Rules { offered, default, .. } = languages();
    let mut all: Vec<Command> = all.map(Command::Branding).into();
    all.push(Command::Languages(languages::Command::Set { expected, offered, default }));
    let fields = schema().fields;
    all.push(Command::Profiles(profiles::Command::SetSchema { expected, fields }));
    all.extend(notice_commands());
    all.extend(block_commands());
    all
}
