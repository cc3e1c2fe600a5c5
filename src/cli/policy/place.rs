//! Where policies are, what they are judged against, and which records are looked at.

use super::{Failure, failure};
use crate::app::{StartError, survey};
use crate::audit::{Payload, Payloads, Reader};
use crate::config::Config;
use crate::policy::{Catalog, Decided, Policies, PolicyFiles, Store, Surroundings};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Records read at once.
const BATCH: u64 = 2_000;

/// What policies are judged against.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Against {
    /// The configuration file: its policies, its groups, and its servers as they were when a gateway last ran
    /// with it, or else as they answer now.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A data folder: servers as they were when a gateway last ran with it.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
    /// A YAML file with servers and tools, for use without a gateway. Left out: `tests/catalog.yaml` below the
    /// policies, if it is there.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Ask the servers of the configuration now, whatever is known of them.
    #[arg(long, requires = "config")]
    live: bool,
}

/// Everything that a verb works with.
pub(super) struct Place {
    pub folder: PathBuf,
    pub surroundings: Surroundings,
}

impl Against {
    fn config(&self) -> Result<Option<Config>, Failure> {
        self.config.as_deref().map(Config::load).transpose().map_err(Failure::Problems)
    }

    /// The data folder, if one was named.
    pub(super) fn data_dir(&self) -> Result<Option<PathBuf>, Failure> {
        match &self.data_dir {
            Some(folder) => Ok(Some(folder.clone())),
            None => Ok(self.config()?.map(|config| config.data_dir)),
        }
    }

    /// The policy folder: as given, of the configuration, or `policies`.
    pub(super) fn folder(&self, given: Option<&Path>) -> Result<PathBuf, Failure> {
        match (given, self.config()?) {
            (Some(folder), _) => Ok(folder.to_owned()),
            (None, Some(config)) => Ok(config.policies.folder),
            (None, None) => Ok(PathBuf::from("policies")),
        }
    }

    /// The folder with what it is judged against.
    pub(super) fn place(&self, given: Option<&Path>) -> Result<Place, Failure> {
        let folder = self.folder(given)?;
        let surroundings = self.surroundings(&folder)?;
        Ok(Place { folder, surroundings })
    }

    fn surroundings(&self, folder: &Path) -> Result<Surroundings, Failure> {
        let config = self.config()?;
        let beside = folder.join("tests/catalog.yaml");
        let catalog = match &self.catalog {
            Some(file) => Some(file.clone()),
            None if config.is_none() && self.data_dir.is_none() && beside.is_file() => Some(beside),
            None => None,
        };
        if let Some(file) = catalog {
            let text = std::fs::read_to_string(&file)?;
            let catalog: Catalog = serde_saphyr::from_str(&text)
                .map_err(|error| anyhow::anyhow!("`{}`: {error}", file.display()))?;
            return match &config {
                Some(config) => Surroundings::configured(&config.policies, catalog.models()).map_err(failure),
                None => Ok(Surroundings::bare(catalog.models())),
            };
        }
        let data_dir = match (&self.data_dir, &config) {
            (Some(folder), _) => folder.clone(),
            (None, Some(config)) => config.data_dir.clone(),
            (None, None) => return Ok(Surroundings::bare(Vec::new())),
        };
        let store = Store::of(&data_dir);
        match (store.in_force(), config) {
            (Ok(digests), config) if !self.live => {
                let kept = Surroundings::from_parts(&store.parts(&digests.entities)?).map_err(failure)?;
                match config {
                    // Groups and the time zone as they are on disk now.
                    Some(config) => Surroundings::configured(&config.policies, kept.servers).map_err(failure),
                    None => Ok(kept),
                }
            }
            (_, Some(mut config)) => {
                folder.clone_into(&mut config.policies.folder);
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let archive = super::super::runtime()?.block_on(survey(&config));
                let archive = archive.map_err(|error| match error {
                    StartError::Problems(problems) => Failure::Problems(problems),
                    other => super::super::serve::failure(other),
                })?;
                Surroundings::from_parts(&archive.entities).map_err(failure)
            }
            (Err(error), None) => Err(error.into()),
            (Ok(_), None) => Err(Failure::Other(anyhow::anyhow!("`--live` needs `--config`"))),
        }
    }
}

impl Place {
    /// The policies of the folder; those that name tools of servers that nobody has heard of wait.
    pub(super) fn policies(&self) -> Result<Policies, Failure> {
        let files = PolicyFiles::read(&self.folder).map_err(failure)?;
        files.build(&self.surroundings).map_err(failure)
    }
}

/// Which records are looked at.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Period {
    /// From this moment on: `2026-01-31T00:00:00Z`, or so long ago: `24h`, `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Up to this moment.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

fn moment(text: &str) -> Result<i64, Failure> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_microsecond());
    }
    let ago = text.parse::<crate::identity::Ttl>().map_err(|_| {
        anyhow::anyhow!("`{text}` is neither a moment (2026-01-31T00:00:00Z) nor a time ago (24h, 7d)")
    })?;
    Ok(crate::clock::Clock::system().now_us().saturating_sub(ago.as_us()))
}

/// Tells `each` every recorded decision of a period, oldest first, with a progress bar for people.
pub(super) fn decisions(
    data_dir: &Path,
    period: &Period,
    mut each: impl FnMut(&Decided) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let since = period.since.as_deref().map(moment).transpose()?.unwrap_or(i64::MIN);
    let until = period.until.as_deref().map(moment).transpose()?.unwrap_or(i64::MAX);
    let (reader, payloads) = (Reader::open(data_dir)?, Payloads::open(data_dir)?);
    let all = reader.tail(1)?.first().map_or(0, |entry| entry.seq + 1);
    let shows = std::io::stderr().is_terminal();
    let mut next = 0;
    loop {
        let batch = reader.since(next, BATCH)?;
        let Some(last) = batch.last() else { break };
        next = last.seq + 1;
        for entry in &batch {
            if let Some(decided) = Decided::parse(&entry.record)
                && (since..until).contains(&decided.time_us())
            {
                each(&decided.or_request(|| parameters(&payloads, &entry.record)))?;
            }
        }
        if shows {
            let filled = usize::try_from(next.saturating_mul(30) / all.max(1)).unwrap_or(30).min(30);
            let bar = format!("{}{}", "#".repeat(filled), ".".repeat(30 - filled));
            let _ = write!(std::io::stderr(), "\r[{bar}] {next} of {all} records");
        }
    }
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    Ok(())
}

/// The parameters of a recorded call, where they are kept beside the log and were not erased.
pub(super) fn parameters(payloads: &Payloads, record: &[u8]) -> Option<String> {
    match payloads.read(record) {
        Ok(Payload::Text(text)) => Some(text),
        _ => None,
    }
}
