//! Windows of closed loops.

use pondhawk::protocol::QoS;

use crate::scenario::Scenario;

use super::expectations::Expectations;
use super::flows::Flows;
use super::seats::Share;

/// For each group, whether its window is kept by acknowledgements alone.
///
/// A window counts the messages that have not reached all their subscribers. In another process
/// deliveries are not seen; acknowledgements still are.
///
/// # Errors
/// If there are none, at QoS 0.
pub fn windows(
    scenario: &Scenario,
    flows: &Flows,
    expectations: &Expectations,
    share: Share,
) -> Result<Vec<bool>, String> {
    let mut by_acknowledgement = vec![false; scenario.groups.len()];
    if share.parts == 1 {
        return Ok(by_acknowledgement);
    }
    let mut here = vec![0_u32; flows.count() as usize];
    for (index, group) in scenario.groups.iter().enumerate() {
        for client in (0..group.count).filter(|client| share.has(*client)) {
            let Some(expected) = expectations.for_client(index, client) else { continue };
            // The next message may come to a member of another process.
            if expected.shared.is_none() {
                (0..expected.flows.len()).for_each(|at| here[expected.flows.get(at) as usize] += 1);
            }
        }
    }
    for flow in 0..flows.count() {
        let (group, client, _) = flows.locate(flow);
        let elsewhere = here[flow as usize] != expectations.copies(flow).iter().sum::<u32>();
        if share.has(client) && elsewhere {
            by_acknowledgement[group] = true;
        }
    }
    for (index, group) in scenario.groups.iter().enumerate() {
        let closed = group.publish.is_some() && group.rate.is_none();
        if closed && by_acknowledgement[index] && group.publish_qos == QoS::AtMostOnce {
            let name = &group.name;
            return Err(format!(
                "group '{name}' publishes at QoS 0 in a closed loop to subscribers in another \
                 process, whose deliveries it cannot see; give it a rate, or QoS 1"
            ));
        }
    }
    Ok(by_acknowledgement)
}
