use super::*;

#[test]
fn a_tilde_that_the_shell_has_left_is_the_home() {
    for (written, meant) in [
        ("~/.ssh/id", "/home/me/.ssh/id"),
        ("~", "/home/me/"),
        ("~you/x", "~you/x"),
        ("./~/x", "./~/x"),
        ("a~/x", "a~/x"),
    ] {
        let home = OsStr::new("/home/me");
        assert_eq!(at_home(written.into(), Some(home)), PathBuf::from(meant));
        assert_eq!(at_home(written.into(), None), PathBuf::from(written));
    }
    let line = "towline get-config --ssh-key=~/key --local-path ~/config";
    let cli = Cli::try_parse_from(line.split(' ')).expect("it is right");
    let Command::GetConfig(arguments) = cli.command else {
        panic!("another command")
    };
    let home = PathBuf::from(env::var_os("HOME").expect("a home"));
    assert_eq!(arguments.login.ssh_key, Some(home.join("key")));
    assert_eq!(arguments.destination.local_path, home.join("config"));
}
