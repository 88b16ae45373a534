//! What `vagrant status --machine-readable` and `vagrant ssh-config` answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A machine of a Vagrantfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name in the Vagrantfile.
    pub name: String,
    /// Its state in the provider's words, such as `running`, `poweroff`, `not created`.
    pub state: String,
    /// Whether it runs.
    pub runs: bool,
}

/// How Vagrant reaches a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VagrantLogin {
    /// An address or a name.
    pub address: String,
    /// The port of sshd.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The private keys.
    pub keys: Vec<PathBuf>,
    /// The program that the connection goes through.
    pub proxy: Option<String>,
}

/// Lines of `timestamp,target,type,data…`, in whose data commas and newlines are escaped.
fn lines<'a>(answer: &'a str, kind: &'a str) -> impl Iterator<Item = (&'a str, String)> + 'a {
    answer.lines().filter_map(move |line| {
        let mut fields = line.trim_end().splitn(4, ',');
        let (_, target, is) = (fields.next()?, fields.next()?, fields.next()?);
        let data = fields.next().unwrap_or_default();
        let data = data.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n");
        (is == kind).then(|| (target, data.replace("\\r", "")))
    })
}

/// The machines in the order of the Vagrantfile.
pub fn machines(answer: &str) -> Vec<Machine> {
    let words: BTreeMap<_, _> = lines(answer, "state-human-short").collect();
    lines(answer, "state")
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, state)| Machine {
            name: name.to_owned(),
            state: words.get(name).cloned().unwrap_or_else(|| state.clone()),
            runs: state == "running",
        })
        .collect()
}

/// Why Vagrant failed, in its own words.
pub fn complaint(answer: &str) -> Option<String> {
    let (_, data) = lines(answer, "error-exit").next()?;
    let (_class, words) = data.split_once(',')?;
    Some(words.to_owned())
}

/// How the machines are reached, by their names.
pub fn options(answer: &str) -> BTreeMap<String, VagrantLogin> {
    let mut options: BTreeMap<String, VagrantLogin> = BTreeMap::new();
    let mut name = String::new();
    for line in answer.lines() {
        let Some((key, value)) = line.trim().split_once(char::is_whitespace) else {
            continue;
        };
        let value = value.trim();
        let inside = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let value = inside.unwrap_or(value);
        if key == "Host" {
            value.clone_into(&mut name);
            options.insert(name.clone(), VagrantLogin::default());
            continue;
        }
        let Some(way) = options.get_mut(&name) else {
            continue;
        };
        match key {
            "HostName" => value.clone_into(&mut way.address),
            "Port" => way.port = value.parse().unwrap_or_default(),
            "User" => value.clone_into(&mut way.user),
            "IdentityFile" => way.keys.push(value.into()),
            "ProxyCommand" => way.proxy = Some(value.to_owned()),
            _ => {}
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(address: &str, port: u16, keys: &[&str]) -> VagrantLogin {
        VagrantLogin {
            address: address.into(),
            port,
            user: "vagrant".into(),
            keys: keys.iter().map(PathBuf::from).collect(),
            proxy: None,
        }
    }

    #[test]
    fn states_are_those_of_every_provider() {
        // VirtualBox; libvirt says `shutoff` and Parallels and lxc `stopped`.
        let answer = "1,server-1,metadata,provider,virtualbox\n1,,ui,info,hello%!(VAGRANT_COMMA) you\n\
            1,server-1,provider-name,virtualbox\r\n1,server-1,state,running\r\n1,server-1,state-human-short,running\r\n\
            1,server-1,state-human-long,The VM is running. To stop this VM%!(VAGRANT_COMMA)\\nrun it\r\n\
            1,agent-1,provider-name,virtualbox\n1,agent-1,state,poweroff\n1,agent-1,state-human-short,powered off\n\
            1,agent-2,state,not_created\n1,agent-2,state-human-short,not created\n\
            1,agent-3,state,stopped\n";
        let machines: Vec<_> = machines(answer)
            .into_iter()
            .map(|machine| (machine.name, machine.state, machine.runs))
            .collect();
        let machine = |name: &str, state: &str, runs| (name.to_owned(), state.to_owned(), runs);
        assert_eq!(
            machines,
            [
                machine("server-1", "running", true),
                machine("agent-1", "powered off", false),
                machine("agent-2", "not created", false),
                machine("agent-3", "stopped", false),
            ]
        );
        assert_eq!(complaint(answer), None);
        let none = "1,,ui,error,A Vagrant environment\\nis required\n\
            1,,error-exit,Vagrant::Errors::NoEnvironmentError,A Vagrant environment\\nor machine is required%!(VAGRANT_COMMA) run\n";
        assert_eq!(
            complaint(none).as_deref(),
            Some("A Vagrant environment\nor machine is required, run")
        );
    }

    #[test]
    fn ways_are_those_of_every_provider() {
        // VirtualBox on Vagrant 2.3; before its first key is replaced, 2.4 names two.
        let answer = "Host server-1\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n  UserKnownHostsFile /dev/null\n  \
            StrictHostKeyChecking no\n  PasswordAuthentication no\n  \
            IdentityFile /home/me/k/.vagrant/machines/server-1/virtualbox/private_key\n  IdentitiesOnly yes\n  LogLevel FATAL\n\n\
            Host agent-1\n  HostName 127.0.0.1\n  User vagrant\n  Port 2200\n  \
            IdentityFile /home/me/.vagrant.d/insecure_private_keys/vagrant.key.ed25519\n  \
            IdentityFile /home/me/.vagrant.d/insecure_private_keys/vagrant.key.rsa\n  \
            PubkeyAcceptedKeyTypes +ssh-rsa\n  HostKeyAlgorithms +ssh-rsa\n\n";
        let found = options(answer);
        let key = "/home/me/k/.vagrant/machines/server-1/virtualbox/private_key";
        assert_eq!(found["server-1"], way("127.0.0.1", 2222, &[key]));
        let keys = ["ed25519", "rsa"]
            .map(|kind| format!("/home/me/.vagrant.d/insecure_private_keys/vagrant.key.{kind}"));
        assert_eq!(
            found["agent-1"],
            way("127.0.0.1", 2200, &keys.each_ref().map(String::as_str))
        );

        // A folder with a space in its name, on Windows and on a Mac with Parallels; Windows line ends.
        let answer = "Host default\r\n  HostName 127.0.0.1\r\n  User vagrant\r\n  Port 2222\r\n  \
            IdentityFile \"C:/Users/Max Muster/k/.vagrant/machines/default/virtualbox/private_key\"\r\n\r\n\
            Host mac\r\n  HostName 10.211.55.12\r\n  User vagrant\r\n  Port 22\r\n  \
            IdentityFile \"/Users/max/my cluster/.vagrant/machines/mac/parallels/private_key\"\r\n";
        let found = options(answer);
        let key = "C:/Users/Max Muster/k/.vagrant/machines/default/virtualbox/private_key";
        assert_eq!(found["default"], way("127.0.0.1", 2222, &[key]));
        let key = "/Users/max/my cluster/.vagrant/machines/mac/parallels/private_key";
        assert_eq!(found["mac"], way("10.211.55.12", 22, &[key]));

        // libvirt on another machine.
        let answer = "Host a\n  HostName 192.168.121.7\n  User vagrant\n  Port 22\n  IdentityFile /k\n  \
            ProxyCommand ssh 'kvm.example' -l 'me' -i '/k' nc %h %p\n";
        let proxied = VagrantLogin {
            proxy: Some("ssh 'kvm.example' -l 'me' -i '/k' nc %h %p".into()),
            ..way("192.168.121.7", 22, &["/k"])
        };
        assert_eq!(options(answer)["a"], proxied);
        assert_eq!(options(""), BTreeMap::new());
    }
}
