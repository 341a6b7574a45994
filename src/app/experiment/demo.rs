//! The experiment without hardware: the twin is the device, with a key made for this one run.
//!
//! Knows how the place is made. What is done there is what is done to any device.

use anyhow::Result;

use super::{OnScreen, Place, check, go, open, outputs_of_demo};
use crate::app::{sandbox, successor::successor, twin_key::TwinKey};
use crate::cli::{experiment::Shape, plan::DemoPlan};
use crate::lab::{self, Lab, LabConfig};

pub fn run(plan: &DemoPlan, shape: &Shape) -> Result<u8> {
    check(shape)?;
    // Asked before the lab may take us where nobody else is.
    let successor = successor(plan.confinement.user.as_deref())?;
    let key = TwinKey::new()?;
    let lab = Lab::enter(&LabConfig {
        twin: lab::find_twin(plan.twin.as_deref())?,
        twin_args: key.arguments().to_vec(),
        seed: plan.seed,
        twin_user: successor.map(|successor| (successor.uid.as_raw(), successor.gid.as_raw())),
        has_power_switch: false,
    })?;
    let successor = successor.filter(|_| lab.has_other_users());
    let key = key.into_key();
    let device = lab.device();
    let capture = open(lab.interface().to_owned(), device)?;
    let screen = OnScreen::open(&plan.output, lab.interface(), device, successor)?;
    let outputs = outputs_of_demo(shape, device, lab.interface(), successor)?;
    sandbox::enter(successor, &plan.confinement, &outputs.needs(screen.as_ref()))?;
    let place = Place { server: lab.server(), control: lab.control(), key, capture, screen };
    let code = go(place, outputs, plan.output.view)?;
    lab.finish()?;
    Ok(code)
}
