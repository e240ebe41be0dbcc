//! The physical limits of this machine: signatures, verifications, password hashes, syncs.

use std::{fs::File, io::Write as _, os::unix::fs::FileExt as _};

use actors::runtime::{
    clock::Clock,
    limiter::Limiter,
    random::Random,
    signer::{SigningKey, TokenType, generate},
    verifier::VerifyingKey,
};
use identity::{
    keys::Algorithm,
    oauth::claims::{AccessToken, Audience},
    rates::{self, Rate},
};

use crate::figures::{line, per_call_us};

/// What was measured, microseconds per call on one core.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) es256_sign_us: f64,
    pub(crate) es256_verify_us: f64,
    pub(crate) rs256_sign_us: f64,
    pub(crate) argon2_us: f64,
    pub(crate) sync_us: f64,
}

pub(crate) fn measure() -> Limits {
    let random = Random::new(Clock::system());
    let mut limits = Limits::default();
    for (algorithm, sign_us, verify_us) in [
        (Algorithm::Es256, &mut limits.es256_sign_us, Some(&mut limits.es256_verify_us)),
        (Algorithm::Rs256, &mut limits.rs256_sign_us, None),
    ] {
        let Ok(key) = generate(algorithm, &random) else { continue };
        let Ok(key) = SigningKey::parse(algorithm, key.kid, &key.der, random.clone()) else {
            continue;
        };
        let claims = claims();
        *sign_us = per_call_us(1.0, || drop(key.sign(&claims, TokenType::AccessToken)));
        let Some(verify_us) = verify_us else { continue };
        let (Ok(token), Ok(verifier)) = (
            key.sign(&claims, TokenType::AccessToken),
            VerifyingKey::parse(algorithm, key.public()),
        ) else {
            continue;
        };
        let Some((message, signature)) = token.rsplit_once('.') else { continue };
        let signature = actors::runtime::signer::decoded(signature);
        *verify_us = per_call_us(1.0, || {
            std::hint::black_box(verifier.verify(message.as_bytes(), &signature));
        });
    }
    limits.argon2_us = argon2_us(&random);
    limits.sync_us = sync_us().unwrap_or(f64::NAN);
    line("limits of this machine, one core");
    line(&format!(
        "  ES256 signature      {:>9.1} us  {:>8.0}/s",
        limits.es256_sign_us,
        1e6 / limits.es256_sign_us
    ));
    line(&format!(
        "  ES256 verification   {:>9.1} us  {:>8.0}/s",
        limits.es256_verify_us,
        1e6 / limits.es256_verify_us
    ));
    line(&format!(
        "  RS256 signature      {:>9.1} us  {:>8.0}/s",
        limits.rs256_sign_us,
        1e6 / limits.rs256_sign_us
    ));
    line(&format!(
        "  Argon2id 19 MiB t=2  {:>9.1} us  {:>8.0}/s",
        limits.argon2_us,
        1e6 / limits.argon2_us
    ));
    line(&format!(
        "  fdatasync 4 KiB p50  {:>9.1} us  {:>8.0}/s",
        limits.sync_us,
        1e6 / limits.sync_us
    ));
    line(&format!("  rate limit, 2 checks {:>9.1} ns", arrival_ns()));
    limits
}

/// A request let in by the limits of its source and its tenant, of a thousand sources in turn.
fn arrival_ns() -> f64 {
    let (limiter, clock) = (Limiter::default(), Clock::system());
    let rate = Some(Rate { per_s: 100_000, burst: 1_000_000 });
    let limits = rates::Limits { source: rate, tenant: rate, ..rates::Limits::default() };
    let tenant = identity::id::TenantId::from_bytes([1; 16]);
    // Microseconds of a thousand are nanoseconds of one.
    per_call_us(0.5, || {
        for number in 0..1000_u32 {
            let source = std::net::Ipv4Addr::from(number).into();
            let _ = std::hint::black_box(limiter.arrives(&limits, tenant, source, clock.boot_us()));
        }
    })
}

fn claims() -> AccessToken {
    AccessToken {
        iss: "http://localhost:8080/t/demo".into(),
        sub: "service-demo".into(),
        aud: Audience::One("http://localhost:8080/t/demo".into()),
        client_id: "service-demo".into(),
        exp: 1_800_003_600,
        iat: 1_800_000_000,
        jti: "abcdefghijklmnopqrstuv".into(),
        scope: "read write".into(),
        grant: None,
        auth_time: None,
        sid: None,
        cnf: None,
    }
}

fn argon2_us(random: &Random) -> f64 {
    use actors::runtime::{
        hasher::{Cost, Hasher, Settings},
        secret::Password,
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return f64::NAN;
    };
    let settings = Settings { slots: 1, cost: Cost::DEFAULT };
    let Ok(hasher) = Hasher::start(settings, Clock::system(), random.clone()) else {
        return f64::NAN;
    };
    let tenant = identity::id::TenantId::from_bytes([1; 16]);
    per_call_us(2.0, || {
        let password = Password::new("correct horse battery staple".into());
        drop(runtime.block_on(hasher.hash(tenant, password)));
    })
}

/// Median of appending 4 KiB and syncing it, in the folder where the bench keeps its data.
fn sync_us() -> std::io::Result<f64> {
    let dir = tempfile::tempdir_in(".")?;
    let mut file = File::create(dir.path().join("sync"))?;
    file.write_all(&[0; 4096])?;
    let mut times = Vec::new();
    for number in 0..400_u64 {
        file.write_all_at(&[7; 4096], number * 4096)?;
        let began = std::time::Instant::now();
        file.sync_data()?;
        times.push(began.elapsed().as_micros() as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}
