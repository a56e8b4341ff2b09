package Imagegram::Process;

# Processes as /proc shows them, and files.

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(F_WRLCK O_RDWR SEEK_SET);
use POSIX ();
use Time::HiRes ();

our @EXPORT_OK = qw(spawn alive suspend children cmdline memory open_files
    wait_for slurp spew lock_file);

use constant F_OFD_SETLK => 37;     # Linux


# Starts a shell command with its output appended to a file; gives its pid.

sub spawn {
    my ($command, $log) = @_;

    defined(my $pid = fork) or die "fork: $!\n";

    return $pid if $pid;

    open STDIN,  '<',   '/dev/null';
    open STDOUT, '>>',  $log;
    open STDERR, '>>&', \*STDOUT;

    # the shell becomes the program: the pid is the program's
    $command =~ s{^((?:[A-Z_]+=(?:'[^']*'|\S*) )*)}{$1exec };

    exec('/bin/sh', '-c', $command) or POSIX::_exit(127);
}


# A zombie is not alive; one that is our own child is reaped.

sub alive {
    my ($pid) = @_;

    return 0 unless $pid;

    waitpid $pid, POSIX::WNOHANG();

    return slurp("/proc/$pid/stat") =~ /\) [^ZX] /;
}


# Stops processes.  A signal only asks for it: what is sent to a process before
# it has stopped may still be read.

sub suspend {
    my (@pids) = @_;

    kill 'STOP', @pids;

    for my $pid (@pids) {
        wait_for(sub {
            !grep { slurp($_) =~ /\) [^TZX] / } glob "/proc/$pid/task/*/stat"
        }, 30) or die "process $pid does not stop\n";
    }
}


sub children {
    my ($pid) = @_;

    return unless $pid;

    return grep { slurp("/proc/$_/stat") =~ /\) [^ZX] $pid / }
        map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}


sub cmdline {
    my ($pid) = @_;
    return slurp("/proc/$pid/cmdline") =~ s/\0/ /gr;
}


# Resident memory in bytes now, or at its peak: "VmHWM".

sub memory {
    my ($pid, $field) = @_;

    $field //= 'VmRSS';

    return slurp("/proc/$pid/status") =~ /^$field:\s+(\d+) kB/m
        ? $1 * 1024 : undef;
}


# How many files and sockets a process has open

sub open_files {
    my ($pid) = @_;
    return scalar(() = glob "/proc/$pid/fd/*");
}


# Calls code every 20 ms until it is true or the seconds are over; gives what
# it gave last.

sub wait_for {
    my ($code, $seconds) = @_;

    my $end = Time::HiRes::time() + $seconds;

    while (1) {
        my $result = $code->();

        return $result if $result || Time::HiRes::time() > $end;
        Time::HiRes::sleep(0.02);
    }
}


# A file's content, empty if there is none.

sub slurp {
    my ($path) = @_;

    open my $file, '<:raw', $path or return '';
    local $/;
    return scalar(<$file>) // '';
}


sub spew {
    my ($path, @content) = @_;

    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} @content;
    close $file or die "$path: $!\n";
}


# Locks the first bytes of a file, or all of it, as nginx does: one of the open
# file, so it lasts until what this gives is closed.  undef: somebody else has
# it, or there is no such file.

sub lock_file {
    my ($path, $length) = @_;

    my $lock = pack 's s x4 q q i x4', F_WRLCK, SEEK_SET, 0, $length // 0, 0;

    sysopen my $file, $path, O_RDWR or return;

    return fcntl($file, F_OFD_SETLK, $lock) ? $file : undef;
}


1;
