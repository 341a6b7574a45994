//! Whether a report keeps what identifies people, and the map for its author.
//!
//! Knows files and the choice that was made; what is replaced, and by what, is the report room's to know.

use anyhow::Result;

use super::{output::OutputFile, privilege::Invoker};
use crate::cli::plan::{DeviceName, RedactPlan};
use crate::report::{
    model::Report,
    redact::{self, Redactor},
};

/// One map for everything that a run leaves behind.
#[derive(Debug, Default)]
pub struct Redaction {
    /// `None`: everything is kept.
    redactor: Option<Redactor>,
    map: Option<OutputFile>,
}

impl Redaction {
    /// Opens the map, which only its author may read. `devices`: a name that was typed is a host's name.
    pub fn open(plan: &RedactPlan, devices: &[DeviceName], invoker: Option<Invoker>) -> Result<Redaction> {
        let RedactPlan::Redact { map } = plan else { return Ok(Redaction { redactor: None, map: None }) };
        let mut redactor = Redactor::default();
        for device in devices {
            match device {
                DeviceName::Name(name) => drop(redactor.name("host", name)),
                DeviceName::Address(_) => {}
            }
        }
        let map = map.as_ref().map(|path| OutputFile::open_private(path, invoker)).transpose()?;
        Ok(Redaction { redactor: Some(redactor), map })
    }

    /// A device as a file names it: what is no address is a host's name.
    pub fn name_host(&mut self, device: &str) {
        if let Some(redactor) = &mut self.redactor
            && device.parse::<core::net::IpAddr>().is_err()
        {
            drop(redactor.name("host", device));
        }
    }

    pub fn map(&self) -> Option<&OutputFile> {
        self.map.as_ref()
    }

    /// The report as it may leave.
    pub fn report(&mut self, report: Report) -> Report {
        match &mut self.redactor {
            Some(redactor) => redact::redacted(&report, redactor),
            None => report,
        }
    }

    pub fn redactor(&mut self) -> Option<&mut Redactor> {
        self.redactor.as_mut()
    }

    /// Writes the map, if one was asked for; after everything that adds to it.
    pub fn finish(&mut self) -> Result<()> {
        match (&self.redactor, &mut self.map) {
            (Some(redactor), Some(map)) => map.write_all(redactor.map()),
            (Some(_) | None, _) => Ok(()),
        }
    }
}
