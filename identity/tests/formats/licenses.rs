//! Samples of licenses.

use identity::{
    command::Command,
    id::LicenseId,
    licenses::{self, Claims, Feature, Installed, Issuer, License, Resource, Tier},
};

use crate::{
    Sample,
    records::{AT, TENANT, digest, sealed},
    sample,
};

fn claims(tier: Tier) -> Claims {
    Claims {
        id: LicenseId::from_bytes([12; 16]),
        tier,
        holder: "Acme".into(),
        tenant: Some(TENANT),
        limits: Resource::ALL.map(|resource| (resource, 900)).into(),
        features: Feature::ALL.into(),
        issued_at_ms: AT,
        expires_at_ms: Some(AT + 1),
    }
}

fn license(tier: Tier) -> License {
    let installed = Installed { key: digest(4), claims: claims(tier), at_ms: AT };
    License { revision: 3, installed: Some(installed) }
}

pub(crate) fn samples() -> Vec<Sample> {
    let tiers = [Tier::Free, Tier::Starter, Tier::Professional, Tier::Enterprise, Tier::Founder];
    let mut all: Vec<Sample> = tiers
        .into_iter()
        .map(|tier| sample(format!("license-{}", tier.name()), license(tier)))
        .collect();
    let issuer = Issuer { revision: 1, public: vec![1; 32], private: sealed(), created_at_ms: AT };
    all.push(sample("license-none", License { revision: 4, installed: None }));
    all.push(sample("license-issuer", issuer));
    all
}

pub(crate) fn commands() -> Vec<Command> {
    let (key, claims) = (digest(4), || Box::new(claims(Tier::Starter)));
    let all = [
        licenses::Command::Introduce { public: vec![1; 32], private: sealed() },
        licenses::Command::Issue { key, claims: claims() },
        licenses::Command::Install { expected: Some(2), key, claims: claims() },
        licenses::Command::Remove { expected: None },
    ];
    all.map(Command::Licenses).into()
}
