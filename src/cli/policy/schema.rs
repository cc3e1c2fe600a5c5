//! `sealgate policy schema` and `sealgate policy sign`

use super::place::Against;
use super::{Done, Failure, Format, output};
use crate::config::Config;
use crate::policy::{PolicyFiles, SignError};
use serde_json::json;
use std::path::PathBuf;

/// Options of `schema`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    against: Against,
    /// The policy folder that drift is told for.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Write `gateway.cedarschema` and `servers/*.cedarschema` below this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "compare")]
    write: Option<PathBuf>,
    /// Compare with what was written there. Exit code 1: it differs.
    #[arg(long, value_name = "DIR")]
    compare: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let place = options.against.place(options.policies.as_deref())?;
    let none = PolicyFiles::from_parts(&Vec::new()).build(&place.surroundings).map_err(super::failure)?;
    let files = none.schema_files();
    if let Some(folder) = &options.write {
        std::fs::create_dir_all(folder.join("servers"))?;
        for (name, text) in &files {
            std::fs::write(folder.join(name), text)?;
        }
        let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
        return match options.output {
            Format::Json => output::json(&json!({"written": names})),
            Format::Text => {
                output::print(&format!("wrote {} files below {}\n", names.len(), folder.display()))
            }
        };
    }
    let Some(folder) = &options.compare else {
        let text = none.schema_text();
        return match options.output {
            Format::Json => output::json(&json!({"schema": text, "digest": none.digests().schema})),
            Format::Text => output::print(&text),
        };
    };
    let differs = |(name, text): &&(String, String)| {
        std::fs::read_to_string(folder.join(name)).ok().as_deref() != Some(text.as_str())
    };
    let drifted: Vec<&String> = files.iter().filter(differs).map(|(name, _)| name).collect();
    // With the tools as they are now, a policy that leans on what they were does not load.
    let broken = match place.policies() {
        Ok(_) => Vec::new(),
        Err(Failure::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => return Err(other),
    };
    match options.output {
        Format::Json => output::json(&json!({"drifted": drifted, "broken": broken}))?,
        Format::Text => {
            let mut lines: Vec<String> = drifted.iter().map(|name| format!("differs: {name}\n")).collect();
            lines.extend(broken.iter().map(|problem| format!("breaks: {problem}\n")));
            output::print(&lines.concat())?;
        }
    }
    if drifted.is_empty() && broken.is_empty() { Ok(()) } else { Err(Failure::No(1)) }
}

/// Options of `sign`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SignOptions {
    /// The configuration file, whose policies and entities are signed.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The private key: Ed25519, PKCS#8, DER (`openssl genpkey -algorithm ed25519 -outform DER`).
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the manifest is written; left out: the file that the configuration names.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn sign(options: &SignOptions) -> Done {
    let config = Config::load(&options.config).map_err(Failure::Problems)?;
    let named = config.policies.bundle.as_ref().map(|bundle| bundle.file.clone());
    let out = options.out.clone().or(named);
    let out = out.ok_or_else(|| anyhow::anyhow!("give `--out FILE`: the configuration names no bundle"))?;
    let key = std::fs::read(&options.key)?;
    let signed = crate::policy::sign(&config.policies, &key);
    let (manifest, public_key) = signed.map_err(|error| match error {
        SignError::Files(problems) => super::failure(problems),
        SignError::Key => error.into(),
    })?;
    std::fs::write(&out, format!("{}\n", serde_json::to_string_pretty(&manifest)?))?;
    match options.output {
        Format::Json => output::json(&json!({"digest": manifest.digest, "publicKey": public_key})),
        Format::Text => output::print(&format!(
            "signed {}\npolicies: {{ bundle: {{ file: {}, publicKey: {public_key} }} }}\n",
            manifest.digest,
            out.display()
        )),
    }
}
