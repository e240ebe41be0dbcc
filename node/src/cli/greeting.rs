//! What a node prints once it serves: where it is, how to sign in, how to set it up.
//!
//! Secrets appear here only where somebody has to see them: the bootstrap secret while setup is
//! open, and the fixed secrets of development mode.

use actors::{demo, runtime::secret::Token};

use crate::config::{Config, Mode};

/// The text for stdout; empty when there is nothing to say.
pub fn text(config: &Config, bootstrap: Option<&Token>) -> String {
    let url = config.external_url.as_str();
    match (config.mode, bootstrap) {
        (Mode::Development, _) => development(url),
        (Mode::Production, Some(secret)) => format!(
            "Vaultara is not set up yet. This secret opens setup, once, until the next start:\n\n\
             \x20   {secret}\n\n\
             Set it up with:  vaultara setup --server {url}\n\n",
            secret = secret.expose(),
        ),
        (Mode::Production, None) => String::new(),
    }
}

fn development(url: &str) -> String {
    let issuer = format!("{url}/t/{}", demo::TENANT);
    format!(
        "\n\
         Vaultara is ready (development mode, loopback only).\n\n\
         \x20 Server          {url}\n\
         \x20 Administrator   admin / {admin}   (issuer {url})\n\
         \x20 Demo tenant     {issuer}\n\
         \x20 Discovery       {issuer}/.well-known/openid-configuration\n\
         \x20 Sign in as      alice / {alice}\n\
         \x20 Clients         web-demo ({web}), service-demo,\n\
         \x20                 native-demo and browser-demo (public)\n\n\
         A token for a service:\n\n\
         curl -s -u service-demo:{service} -d grant_type=client_credentials \
         {issuer}/oauth/token\n\n\
         A token for the administration API:\n\n\
         \x20 curl -s -u admin-demo:{secret} -d grant_type=client_credentials \
         --data-urlencode resource={url}/api -d 'scope=read write platform' {url}/oauth/token\n\n\
         Ctrl-C stops the server.\n",
        admin = demo::ADMINISTRATOR_PASSWORD,
        alice = demo::ALICE_PASSWORD,
        web = demo::WEB_SECRET,
        service = demo::SERVICE_SECRET,
        secret = demo::ADMIN_SECRET,
    )
}
