//! What goes wrong while hosts are changed.

super::codes! {
    "While a run goes on";

    /// Another run of towline works on the host and has not ended within ten minutes. Two runs never change
    /// one host at the same time.
    ///
    /// # Remedy
    /// Wait for it, then run the same command again. On the host, this shows what holds the lock:
    ///
    /// ```sh
    /// ps -fp $(find /proc/[0-9]*/fd -lname /run/towline.lock | cut -d/ -f3)
    /// ```
    RUN_LOCKED "run-locked";

    /// A command of a step failed on the host. The message has its exit status and its last words.
    ///
    /// # Remedy
    /// Repair what it complains about on the host, and run the same command again: it goes on at this step.
    /// `-v` shows what was sent, `-vv` also what the host answered.
    COMMAND_FAILED "command-failed";

    /// A step did its work, and a second look showed that the host is still not as it should be. Something on
    /// the host undoes it, or prevents it without an error.
    ///
    /// # Remedy
    /// Look on the host at what the message says is still to do. Configuration management, a read-only file and
    /// a masked unit are common reasons.
    STEP_WITHOUT_EFFECT "step-without-effect";

    /// A step waited for something that did not happen in time, such as a node that becomes Ready.
    ///
    /// # Remedy
    /// The message has the last words of the unit and where there is more; on the host, this shows it:
    ///
    /// ```sh
    /// journalctl -u k3s -n 100
    /// ```
    ///
    /// On a slow machine or network the same command may simply go on: nothing that was done is lost.
    STEP_TIMED_OUT "step-timed-out";

    /// A unit starts and ends again and again, or does not stay up. The message has the last words of its
    /// process; towline knew no cause by them.
    ///
    /// # Remedy
    /// On the host, see all that it said. The first error after a start is most often the cause:
    ///
    /// ```sh
    /// journalctl -u k3s --no-pager -n 200
    /// ```
    UNIT_FAILS "unit-fails";

    /// A unit that was there is gone: something else removes it from the host while towline works on it.
    ///
    /// # Remedy
    /// Find out what it is (an uninstaller, configuration management), let it end, and run the same command
    /// again.
    UNIT_MISSING "unit-missing";

    /// A unit is masked, so systemd does not start it. That keeps it from starting by any way.
    ///
    /// # Remedy
    /// If it may start again, as root on the host:
    ///
    /// ```sh
    /// systemctl unmask UNIT
    /// ```
    UNIT_MASKED "unit-masked";

    /// Something changed the host after the plan was made, so the plan does not fit any more and nothing was
    /// overwritten. Another run of towline, an editor or configuration management may have done it.
    ///
    /// # Remedy
    /// When the other has ended, run the same command again: it looks at the host anew.
    CHANGED_MEANWHILE "changed-meanwhile";

    /// The same changes are needed again after they were made. Something else changes the hosts back, or the
    /// distribution undoes them.
    ///
    /// # Remedy
    /// Run the same command again. If it ends like this once more, look for what else manages these files, and
    /// at the journals of the servers.
    NO_CONVERGENCE "no-convergence";

    /// A run ended before all was done. The reason is in the message; the table at the end says how far each
    /// host came.
    ///
    /// # Remedy
    /// Remove the reason, then run the same command again: what is done is not done twice.
    RUN_INCOMPLETE "run-incomplete";

    /// Nothing failed on the host, and what was planned for it was not done, because it depends on others that
    /// failed or were not reached.
    ///
    /// # Remedy
    /// Repair the host that failed first; the others follow with the same command.
    HOST_CANCELLED "host-cancelled";

    /// The command was interrupted, with Ctrl-C or a signal.
    ///
    /// # Remedy
    /// Run the same command again to go on. Steps that had begun were finished, unless Ctrl-C was pressed twice.
    INTERRUPTED "interrupted";

    /// towline itself failed. This is a fault of the program and not of your hosts.
    ///
    /// # Remedy
    /// Run the same command again; if it fails again, report it with the version, the command and the output of
    /// `-vv`. Secrets are masked in it.
    INTERNAL "internal";
}
