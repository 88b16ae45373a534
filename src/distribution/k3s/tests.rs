//! k3s's own rules as tables: an inventory, what the hosts said, what they are told.

use super::effective::{configured_data_dir, shared_settings};
use super::rules::K3s;
use crate::cluster::tests::*;
use crate::cluster::*;
use crate::facts::*;
use crate::vars::Secret;

mod adopted;
mod belongings;
mod configs;
mod kept;
mod settings;
