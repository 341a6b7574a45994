//! The experiment without hardware: the twin is the device, with a key made for this one run.
//!
//! Knows how the place is made. What is done there is what is done to any device.

use anyhow::Result;

use super::{OnScreen, Place, check, go, open, results_of_demo};
use crate::app::{privilege, twin_key::TwinKey};
use crate::cli::{experiment::Shape, plan::DemoPlan};
use crate::lab::{self, Lab, LabConfig};

pub fn run(plan: &DemoPlan, shape: &Shape) -> Result<u8> {
    check(shape)?;
    let invoker = privilege::invoker()?;
    let key = TwinKey::new()?;
    let lab = Lab::enter(&LabConfig {
        twin: lab::find_twin(plan.twin.as_deref())?,
        twin_args: key.arguments().to_vec(),
        seed: plan.seed,
        twin_user: invoker.map(|invoker| (invoker.uid.as_raw(), invoker.gid.as_raw())),
        has_power_switch: false,
    })?;
    let key = key.into_key();
    let device = lab.device();
    let capture = open(lab.interface().to_owned(), device)?;
    let screen = OnScreen::open(&plan.output, lab.interface(), device, invoker)?;
    let results = results_of_demo(shape, device, invoker)?;
    privilege::drop_all(invoker)?;
    let place = Place { server: lab.server(), control: lab.control(), key, capture, screen };
    let code = go(place, results, plan.output.view)?;
    lab.finish()?;
    Ok(code)
}
