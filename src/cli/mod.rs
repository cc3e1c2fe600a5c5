//! What can be typed? One file a verb.

mod approval;
mod audit;
mod check;
mod find_value;
mod inspect;
mod output;
mod policy;
mod quickstart;
mod serve;
mod server;
mod status;
mod stdio;
mod token;

use crate::config::Problem;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// A gateway between AI agents and MCP servers: authenticated, authorized by Cedar, filtered, recorded.
///
/// Exit codes: 0 success, 1 a check failed or a log was tampered with, 2 wrong usage or cannot decide,
/// 3 the configuration or the policies have problems, 4 the audit log was rolled back.
#[derive(Debug, Parser)]
#[command(name = "sealgate", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Try it: a gateway with two demo servers, example policies and tokens for three people.
    Quickstart(quickstart::Options),
    /// Run the gateway of a configuration file.
    Serve(serve::Options),
    /// Ask a running gateway whether it is ready, and why its last change was rejected. Exit code 1: it is not well.
    Status(status::Options),
    /// Load all that `serve` loads, list every problem, and bind nothing.
    Check(check::Options),
    /// Be a local MCP server over standard input and output, for agents that start one: what they say goes through a
    /// gateway.
    Stdio(stdio::Options),
    /// Make, list and revoke bearer tokens.
    #[command(subcommand)]
    Token(token::Verb),
    /// See which tools are pinned or held back, and approve or reject their definitions.
    #[command(subcommand)]
    Server(server::Verb),
    /// Verify and read the audit log.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Find personal data and secrets in files or standard input, as the gateway would.
    Inspect(inspect::Options),
    /// Check, format, test, explain, replay and compare policies.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Decide about calls that a policy holds back until a person approves.
    #[command(subcommand)]
    Approval(approval::Verb),
    /// About the configuration file.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Serve a demo MCP server over standard input and output.
    #[command(hide = true)]
    DemoServer(crate::demo::Options),
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print the OpenAPI 3.1 document of an API.
    Openapi {
        /// Which.
        #[arg(value_enum, default_value = "audit")]
        api: WhichApi,
    },
}

/// An API of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhichApi {
    /// The auditors'.
    Audit,
    /// The administrative one.
    Admin,
}

/// In which form results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document for programs.
    Json,
}

/// Why a verb ended without success.
#[derive(Debug)]
enum Failure {
    /// The configuration or the policies have problems.
    Problems(Vec<Problem>),
    /// The log is not what it was: somebody remembers more of it, or another one.
    RolledBack(String),
    /// A check answered no; what is to be said has been printed.
    No(u8),
    /// Anything else.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

type Done = Result<(), Failure>;

impl Arguments {
    /// Whether the verb runs until it is stopped.
    pub fn serves(&self) -> bool {
        matches!(self.verb, Verb::Quickstart(_) | Verb::Serve(_) | Verb::Stdio(_) | Verb::DemoServer(_))
    }
}

/// Runs one verb.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.verb {
        Verb::Quickstart(options) => quickstart::run(&options),
        Verb::Serve(options) => serve::run(&options),
        Verb::Status(options) => status::run(&options),
        Verb::Check(options) => check::run(&options),
        Verb::Stdio(options) => stdio::run(&options),
        Verb::Token(verb) => token::run(&verb),
        Verb::Server(verb) => server::run(&verb),
        Verb::Audit(verb) => audit::run(&verb),
        Verb::Inspect(options) => inspect::run(&options),
        Verb::Approval(verb) => approval::run(&verb),
        Verb::Policy(verb) => policy::run(&verb),
        Verb::Config(ConfigVerb::Schema) => output::json(&crate::config::json_schema()),
        Verb::Config(ConfigVerb::Openapi { api }) => {
            let text = match api {
                WhichApi::Audit => crate::api::audit_document(),
                WhichApi::Admin => crate::api::admin_document(),
            };
            text.map_err(Failure::from).and_then(|text| output::print(&text))
        }
        Verb::Completions { shell } => {
            let mut command = <Arguments as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "sealgate", &mut std::io::stdout());
            Ok(())
        }
        Verb::DemoServer(options) => demo(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::No(code)) => ExitCode::from(code),
        Err(Failure::Problems(problems)) => {
            for problem in &problems {
                eprintln!("error: {problem}");
            }
            ExitCode::from(3)
        }
        Err(Failure::RolledBack(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(4)
        }
        Err(Failure::Other(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn demo(options: crate::demo::Options) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(crate::demo::serve(options, tokio::io::stdin(), tokio::io::stdout()));
    // The thread that reads standard input blocks until its end: nobody waits for it.
    runtime.shutdown_background();
    Ok(served?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Where a verb that works on files finds them: a configuration, or a data folder.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration file, whose data folder is used.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// The data folder itself.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    fn data_dir(&self) -> Result<PathBuf, Failure> {
        match (&self.data_dir, &self.config) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(file)) => {
                crate::config::Config::load(file).map(|config| config.data_dir).map_err(Failure::Problems)
            }
            (None, None) => Err(Failure::Other(anyhow::anyhow!("give `--config FILE` or `--data-dir DIR`"))),
        }
    }
}
