//! The members of etcd, as a server tells them.

use serde_json::Value;

use super::Member;
use super::parse::{LONGEST_PACKED, word};
use crate::shell::{Reply, decode};

/// The members of etcd, from the answer to `/v3/cluster/member/list`, and which of them answered. `node`
/// tells what node a member of that name is of.
pub fn members_told(reply: &Reply, node: fn(&str) -> String) -> Vec<Member> {
    let list: Value = reply
        .value("members")
        .filter(|packed| packed.len() <= LONGEST_PACKED)
        .and_then(decode)
        .and_then(|packed| serde_json::from_slice(&packed).ok())
        .unwrap_or_default();
    let teller = list["header"]["member_id"].as_str();
    let were_asked = reply.value("peers").is_some();
    let answered: Vec<_> = reply.values("peer").collect();
    let member = |member: &Value| {
        let urls = member["peerURLs"].as_array().into_iter().flatten();
        let urls: Vec<_> = urls.filter_map(Value::as_str).collect();
        // It becomes part of a command.
        let id = member["ID"].as_str();
        let id = id.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        Member {
            id: id.unwrap_or_default().to_owned(),
            address: urls.iter().find_map(|url| {
                let (address, _) = url.strip_prefix("https://")?.rsplit_once(':')?;
                address.trim_matches(['[', ']']).parse().ok()
            }),
            node: node(&word(member["name"].as_str().unwrap_or_default())),
            is_learner: member["isLearner"] == true,
            // The one that told the list is up, also where the host was too busy to ask it again.
            answers: were_asked.then(|| {
                id.is_some_and(|id| teller == Some(id))
                    || urls.iter().any(|url| answered.contains(url))
            }),
        }
    };
    let listed = list["members"].as_array().into_iter().flatten();
    listed.map(member).collect()
}
