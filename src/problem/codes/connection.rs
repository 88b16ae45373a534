//! Reaching a host, logging in, and becoming root.

super::codes! {
    "Reaching a host";

    /// The name of a host has no address on this machine. towline asks the resolver of this system
    /// for the `address` of the host, or for its name where the inventory gives no address.
    ///
    /// # Remedy
    /// See what the resolver says, and correct the name; or write the IP address as `address` of the
    /// host in the inventory.
    ///
    /// ```sh
    /// getent hosts NAME
    /// ```
    HOST_NAME_UNRESOLVED "host-name-unresolved";

    /// A host did not answer at the address and port of its sshd. The machine is off, the address is
    /// wrong, this machine has no route to its network, or a firewall drops the packets.
    ///
    /// # Remedy
    /// Check that the host is up and that its address in the inventory is the one by which this
    /// machine reaches it. `towline inventory show` says what of it comes from the configuration of ssh.
    ///
    /// ```sh
    /// ping -c 3 ADDRESS
    /// ssh USER@ADDRESS
    /// ```
    ///
    /// The other hosts are worked on all the same where quorum allows it. When the host is back, run
    /// the same command again.
    HOST_UNREACHABLE "host-unreachable";

    /// The host is there, and no SSH server answers at the port. Either nothing listens on it, or
    /// what listens is no sshd, or sshd takes no more connections (`MaxStartups`).
    ///
    /// # Remedy
    /// Start sshd on the host, or write its port as `ssh: {port: …}` of the host in the inventory. On
    /// the host, this shows where sshd listens:
    ///
    /// ```sh
    /// ss -ltnp | grep sshd
    /// ```
    HOST_WITHOUT_SSH "host-without-ssh";

    /// The host that the connection goes through (`ssh: {bastion: …}`, or `ProxyJump`) does not let it
    /// go on to the host behind it.
    ///
    /// # Remedy
    /// Allow it in the `sshd_config` of the bastion, then run the same command again:
    ///
    /// ```text
    /// AllowTcpForwarding yes
    /// PermitOpen any
    /// ```
    BASTION_REFUSED "bastion-refused";

    /// The host that the connection goes through (`ssh: {bastion: …}`, or `ProxyJump`) cannot be reached,
    /// or does not let this user in. The message says which, and the hosts behind it are not reached
    /// either.
    ///
    /// # Remedy
    /// Check the bastion as ssh reaches it:
    ///
    /// ```sh
    /// ssh BASTION true
    /// ```
    BASTION_UNREACHABLE "bastion-unreachable";

    /// A host that connections are to go through (`ssh: {bastion: …}`, `--bastion` or `ProxyJump`) is not
    /// written as one, or stands before itself.
    ///
    /// # Remedy
    /// Write it as `[USER@]HOST[:PORT]`, or name a host of the inventory that is reached without it.
    BASTION_UNFIT "bastion-unfit";

    /// `ssh -G`, by which towline reads the configuration of OpenSSH, failed: a file has a mistake, or
    /// cannot be read.
    ///
    /// # Remedy
    /// ssh itself says the same; correct the file, or leave it out:
    ///
    /// ```sh
    /// ssh -G HOST
    /// towline deploy -i inventory.yaml --no-ssh-config
    /// ```
    SSH_CONFIG_UNUSABLE "ssh-config-unusable";

    /// The SSH connection began and ended before the login. The two sides share no method of key
    /// exchange, the host ended the connection (fail2ban and `sshd`'s own penalties do), or it is too
    /// busy to answer in time.
    ///
    /// # Remedy
    /// OpenSSH says more about it:
    ///
    /// ```sh
    /// ssh -v USER@ADDRESS
    /// ```
    ///
    /// Where the host bans addresses, lift the ban there or wait until it ends.
    HANDSHAKE_FAILED "handshake-failed";

    /// The connection to a host was lost during a run. The host or its network went down, it was
    /// restarted, or the connection was cut on the way. The step that ran may have been done or not.
    ///
    /// # Remedy
    /// When the host is back, run the same command again. It looks at the host anew, and goes on
    /// where this one stopped.
    CONNECTION_LOST "connection-lost";

    /// The host showed a key that no `known_hosts` file has. This is usual the first time. towline
    /// does not trust a key that it has never seen, since another machine could answer in the place
    /// of the host.
    ///
    /// # Remedy
    /// Compare the fingerprint in the message with what the host itself says, on its console:
    ///
    /// ```sh
    /// ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub
    /// ```
    ///
    /// If they are equal, run the same command again with `--accept-new-host-keys`, which remembers
    /// the keys of hosts that are not known yet and still refuses a changed one.
    ///
    /// `towline trust -i FILE` shows the fingerprints of all hosts at once, and records those that are right.
    ///
    /// Hosts with host certificates are known by one line of their certificate authority,
    /// `@cert-authority *.example.org ssh-ed25519 …`, as with OpenSSH.
    HOST_KEY_UNKNOWN "host-key-unknown";

    /// The host showed another key than the one that `known_hosts` has for it. Either the machine was
    /// installed anew, or another machine answers at its address.
    ///
    /// # Remedy
    /// Find out which of the two it is. Only where the machine was installed anew, forget the old key
    /// and run the same command again with `--accept-new-host-keys`:
    ///
    /// ```sh
    /// ssh-keygen -R ADDRESS
    /// ```
    HOST_KEY_CHANGED "host-key-changed";

    /// The host showed a key that `known_hosts` marks as revoked, or a certificate that such a key signed. Its
    /// owner has declared that others may hold the private key.
    ///
    /// # Remedy
    /// Do not use the machine before it has new host keys. A line with `@revoked` in the file that the
    /// message names says which key it is.
    HOST_KEY_REVOKED "host-key-revoked";

    /// A `known_hosts` file cannot be read or written, so the key of the host cannot be checked.
    ///
    /// # Remedy
    /// Correct the owner and mode of the file, or name another one with `--known-hosts FILE`.
    KNOWN_HOSTS_UNREADABLE "known-hosts-unreadable";

    /// A private key that the inventory or a flag names cannot be used. It is missing, others may read
    /// it, it is no private key, or the passphrase that the inventory gives is not its own.
    ///
    /// # Remedy
    /// The message says which of these it is. The usual commands are
    ///
    /// ```sh
    /// chmod 600 FILE
    /// ssh-add FILE
    /// ```
    SSH_KEY_UNUSABLE "ssh-key-unusable";

    /// The host refused the login. No key that was offered is in `~/.ssh/authorized_keys` of that user,
    /// or the host asks for something else than a key. towline logs in with one key, a password, or
    /// both.
    ///
    /// # Remedy
    /// Check the user (`ssh: {user: …}` or `--ssh-user`) and the key (`ssh: {key: …}` or `--ssh-key`).
    /// To put a key on the host:
    ///
    /// ```sh
    /// ssh-copy-id -i FILE USER@ADDRESS
    /// ```
    ///
    /// Where it takes passwords, add `--ask-pass`, or say in the inventory where the password is:
    ///
    /// ```yaml
    /// ssh: {password: {command: [pass, show, login]}}
    /// ```
    ///
    /// With many keys in the agent, the host may hang up before the right one is offered: name it, so
    /// that it is the first.
    LOGIN_REFUSED "login-refused";

    /// sudo (or doas) on the host asks for a password, and towline was given none. towline needs root on the
    /// host.
    ///
    /// # Remedy
    /// Type the password once for all hosts with `--ask-become-pass`, or say in the inventory where it is:
    ///
    /// ```yaml
    /// ssh: {become_password: {command: [pass, show, sudo]}}
    /// ```
    ///
    /// Or let the user use sudo without a password, as root on the host:
    ///
    /// ```sh
    /// echo 'USER ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/towline && chmod 440 /etc/sudoers.d/towline
    /// ```
    ///
    /// or log in as root: `ssh: {user: root}` in the inventory. doas takes a password only on a terminal:
    /// with doas, write `permit nopass USER as root` into `/etc/doas.conf`.
    SUDO_PASSWORD "sudo-password";

    /// sudo on a host did not take the password that it was given. It was tried once there, and on no host
    /// after it: many hosts may share one account, which is locked after too many attempts. Where the
    /// host counts attempts with `pam_faillock`, one wrong password counts as two.
    ///
    /// # Remedy
    /// Correct the password where the message says that it comes from, then run the same command again. If
    /// it is right, the account may be locked; on the host, as root:
    ///
    /// ```sh
    /// faillock --user USER
    /// ```
    SUDO_PASSWORD_WRONG "sudo-password-wrong";

    /// The user cannot become root on the host: there is neither sudo nor doas, it refuses the user, or it
    /// wants a terminal (`requiretty`). Nothing can be installed without root.
    ///
    /// # Remedy
    /// The message says which of these it is, and the line that helps. Or log in as root: `ssh: {user: root}`
    /// in the inventory, `--user root` for a single machine.
    SUDO_REFUSED "sudo-refused";

    /// sshd on the host refuses another command on a connection that is open. A connection has as many
    /// sessions as `MaxSessions` in `sshd_config` says, and a command that was given up holds one until
    /// it ends on the host.
    ///
    /// # Remedy
    /// On the host as root, see the limit and what still runs, end it or raise the limit, then run the
    /// same command again:
    ///
    /// ```sh
    /// sshd -T | grep -i maxsessions
    /// systemctl status ssh
    /// ```
    SESSION_REFUSED "session-refused";

    /// A host was reached, and its answer cannot be used: the script that asks for its facts failed, or
    /// the answer was cut short or is incomplete. The usual reasons are a shell that prints text or ends
    /// at the login, a full `/tmp`, and a machine that is out of memory.
    ///
    /// # Remedy
    /// The message has what the host said. See what the same user gets, and what `-vv` shows of the
    /// answer:
    ///
    /// ```sh
    /// ssh USER@ADDRESS true
    /// ```
    ///
    /// This has to print nothing and to end with status 0.
    ANSWER_UNUSABLE "answer-unusable";

    /// This machine allows too few open files for the number of hosts. Every host has one connection
    /// for as long as the run lasts.
    ///
    /// # Remedy
    /// Raise the limit of the shell, then run the same command again:
    ///
    /// ```sh
    /// ulimit -n 4096
    /// ```
    ///
    /// Where that is above the hard limit, `prlimit` as root raises it; the message has the line.
    OPEN_FILES "open-files";
}
