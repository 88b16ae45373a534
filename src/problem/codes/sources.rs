//! Inventories of other tools, and Vagrant.

super::codes! {
    "Inventories of other tools, and Vagrant";

    /// The file is an inventory of another tool than the one that was named.
    ///
    /// # Remedy
    /// Use the command in the message; `towline inventory --help` lists the tools.
    SOURCE_OF_ANOTHER_TOOL "source-of-another-tool";

    /// The file cannot be made into an inventory: it has a mistake, or has another form than the tool reads.
    ///
    /// # Remedy
    /// Correct it at the line that the message names. docs/from-ansible.md, docs/from-k0sctl.md and
    /// docs/from-k3sup.md say what is read of each.
    SOURCE_INVALID "source-invalid";

    /// The file is encrypted with ansible-vault, and towline does not ask for its password.
    ///
    /// # Remedy
    /// Convert what this shows, in a file of its own:
    ///
    /// ```sh
    /// ansible-vault view FILE
    /// ```
    SOURCE_ENCRYPTED "source-encrypted";

    /// There are more files, folders or hosts than are read.
    ///
    /// # Remedy
    /// Name the file or the folder that lists the hosts, and not one above it.
    SOURCE_TOO_LARGE "source-too-large";

    /// None of the hosts can be told to be a server, or there are fewer hosts than `--servers` says.
    ///
    /// # Remedy
    /// Name the group of the servers `server` and the other group `agent`, or say how many are servers with
    /// `--servers`; the message has what this tool uses.
    SOURCE_WITHOUT_SERVER "source-without-server";

    /// Vagrant is not installed, or is not in `PATH`.
    ///
    /// # Remedy
    /// Install Vagrant and a provider, such as VirtualBox or libvirt.
    VAGRANT_MISSING "vagrant-missing";

    /// A command of Vagrant failed or could not be run.
    ///
    /// # Remedy
    /// Run it in the same folder and see; the message has the command and its last words.
    VAGRANT_FAILED "vagrant-failed";

    /// No machine of Vagrant runs in the folder.
    ///
    /// # Remedy
    /// In that folder:
    ///
    /// ```sh
    /// vagrant up
    /// ```
    VAGRANT_NOT_RUNNING "vagrant-not-running";

    /// A machine of Vagrant runs and cannot be reached as towline reaches hosts: it says no address, did not answer,
    /// or is reached through another program.
    ///
    /// # Remedy
    /// Try the first of these; when the second one works, run the same command again:
    ///
    /// ```sh
    /// vagrant reload NAME
    /// vagrant ssh NAME -c 'ip address'
    /// ```
    VAGRANT_UNREACHABLE "vagrant-unreachable";

    /// The machines of Vagrant share no network on which each has an address of its own. The first interface of
    /// each is behind NAT and leads to this machine only.
    ///
    /// # Remedy
    /// Give each machine a line like this in the Vagrantfile, with an address of its own, then `vagrant reload`:
    ///
    /// ```ruby
    /// vm.network "private_network", ip: "192.168.56.11"
    /// ```
    VAGRANT_NETWORK "vagrant-network";
}
