package Imagegram::FakeRedis;

# A server that speaks Redis's protocol as badly as a test wishes.
#
#   my $fake = Imagegram::FakeRedis->new("$dir/fake.sock", sub {
#       my ($n, @command) = @_;
#       return "-LOADING Redis is loading the dataset in memory\r\n";
#   });
#
# The sub is called in a child process, with the number of the connection (the
# first is 1) and a command, and gives the bytes of the reply; an array of
# pieces, which are sent one after the other; a reference to bytes behind which
# the connection is closed.  commands() are those that came so far.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::UNIX ();
use POSIX ();
use Time::HiRes ();

use Imagegram::Process ();

our @EXPORT_OK = qw(bulk);


# A string as Redis sends it

sub bulk { '$' . length($_[0]) . "\r\n$_[0]\r\n" }


sub new {
    my ($class, $path, $answer) = @_;

    unlink $path;

    my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        or die "$path: $!\n";

    chmod 0777, $path;

    my $self = bless {
        path  => $path,
        log   => "$path.log",
        owner => $$,
    }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";

    if ($self->{pid} == 0) {
        eval { serve($socket, $self->{log}, $answer) };
        print STDERR $@ if $@;
        POSIX::_exit(0);
    }

    return $self;
}


# Each connection in a process of its own, which ends with the connection

sub serve {
    my ($socket, $log, $answer) = @_;

    local $SIG{CHLD} = 'IGNORE';
    local $SIG{TERM} = 'DEFAULT';
    local $SIG{PIPE} = 'IGNORE';

    setpgrp;

    for (my $n = 1; my $client = $socket->accept; $n++) {
        next if fork;
        talk($n, $client, $log, $answer);
        POSIX::_exit(0);
    }
}


sub talk {
    my ($n, $client, $log, $answer) = @_;

    $client->autoflush(1);

    while (my @command = take($client)) {
        open my $file, '>>', $log or die "$log: $!\n";
        print {$file} "$n @{[ map { s/\n/ /gr } @command ]}\n";
        close $file;

        my $reply = $answer->($n, @command);

        for my $piece (ref $reply eq 'ARRAY' ? @$reply : $reply) {
            syswrite $client, ref $piece ? $$piece : $piece;
            return if ref $piece;
            Time::HiRes::sleep(0.001) if ref $reply;
        }
    }
}


sub take {
    my ($client) = @_;

    my $line = readline $client;
    my ($n) = ($line // '') =~ /^\*(\d+)\r\n/ or return;

    return map {
        my ($length) = (readline($client) // '') =~ /^\$(\d+)\r\n/
            or return;
        read $client, my $bytes, $length + 2;
        substr $bytes, 0, $length;
    } 1 .. $n;
}


# "number of the connection, command", a string each

sub commands {
    my ($self) = @_;
    return split /\n/, Imagegram::Process::slurp($self->{log});
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill 'TERM', -$pid;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    unlink $self->{path}, $self->{log};
}

sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local $?;
    $self->stop;
}


1;
