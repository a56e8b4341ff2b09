package Imagegram::Steps;

# Processes under steps.c: each stops before whatever others can see, and the
# test says when it goes on.
#
#   my $t = Imagegram->new;
#   my $steps = Imagegram::Steps->new($t);      # before start
#   $t->start;
#   $steps->ask;                        # from here on
#   while (my $step = $steps->next(1)) {
#       # { pid, role, name, detail }; role is master, worker, parent, child
#       # (of imagegram-convert) or redis
#       $steps->go($step);
#   }
#   $steps->pass;
#
# As long as somebody is stopped, who waits for it waits, too: also a test that
# asks Redis or nginx.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::UNIX ();
use Time::HiRes ();

use Imagegram::Process qw(slurp);

my @roles = qw(master worker parent child);


# undef where nobody may be traced, as in a container that forbids it

sub new {
    my ($class, $t) = @_;

    my ($program, $path) = map { $t->dir . "/steps$_" } '', '.sock';

    $t->compile('steps.c', $program, '-O2');

    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 16)
        or die "$path: $!\n";
    my $self = bless {
        t       => $t,
        listen  => $listen,
        tracers => {},        # by socket: { socket, in }
        steps   => [],
        asking  => 0,
    }, $class;

    return unless system("$program $path true 2>/dev/null") == 0;

    # as long as the processes: the end of a tracer is theirs, too
    $t->{steps} = $self;
    $t->{wrap} = "$program $path";

    return $self;
}


# Gives those that wait already, in the order in which they stopped; or waits
# for one.

sub next {
    my ($self, $seconds) = @_;

    my $end = Time::HiRes::time() + $seconds;

    do {
        my $step = shift @{ $self->{steps} };

        return $step if $step && $self->complete($step);

        my $left = $end - Time::HiRes::time();

        $self->read($left > 0 ? $left : 0) unless $step;
    } while @{ $self->{steps} } || Time::HiRes::time() < $end;

    return;
}


# Who it is; false if it was killed meanwhile

sub complete {
    my ($self, $step) = @_;

    my ($pid) = slurp("/proc/$step->{tid}/status") =~ /^Tgid:\s+(\d+)$/m
        or return 0;
    my ($top, $depth) = ($pid, 0);

    while ($top > 1 && $top != ($self->{t}->nginx_pid // 0)) {
        if ($top == ($self->{t}->redis_pid // 0)) {
            @$step{qw(pid role)} = ($pid, 'redis');
            return 1;
        }

        ($top) = slurp("/proc/$top/status") =~ /^PPid:\s+(\d+)$/m or last;
        $depth++;
    }

    @$step{qw(pid role)} = ($pid, $top && $top > 1 ? $roles[$depth] : 'orphan');

    return 1;
}


sub ask {
    my ($self) = @_;

    $self->read(0);
    $self->{asking} = 1;

    my @tracers = values %{ $self->{tracers} };

    $self->tell($_, 'ask') for @tracers;
}


sub pass {
    my ($self) = @_;

    $self->{asking} = 0;
    $self->{steps} = [];
    syswrite $_->{socket}, "pass\n" for values %{ $self->{tracers} };
}


sub go {
    my ($self, $step) = @_;

    my $tracer = $self->{tracers}{ $step->{tracer} } or return;

    syswrite $tracer->{socket}, "go $step->{tid}\n";
}


# "ok" is waited for: what is done from here on is asked for.

sub tell {
    my ($self, $tracer, $text) = @_;

    my $end = Time::HiRes::time() + 30;

    $tracer->{ok} = 0;
    syswrite $tracer->{socket}, "$text\n";

    while (!$tracer->{ok} && $self->{tracers}{ $tracer->{socket} }) {
        Time::HiRes::time() < $end or die "a tracer hangs\n";
        $self->read(0.1);
    }
}


sub read {
    my ($self, $seconds) = @_;

    my $select = IO::Select->new($self->{listen},
        map { $_->{socket} } values %{ $self->{tracers} });

    for my $socket ($select->can_read($seconds)) {

        if ($socket == $self->{listen}) {
            my $new = $socket->accept or next;

            $self->{tracers}{$new} = { socket => $new, in => '' };
            syswrite $new, "ask\n" if $self->{asking};
            next;
        }

        my $tracer = $self->{tracers}{$socket} or next;

        if (!sysread $socket, $tracer->{in}, 65536, length $tracer->{in}) {
            delete $self->{tracers}{$socket};
            next;
        }

        while ($tracer->{in} =~ s/^(.*)\n//) {
            my ($word, $tid, $name, $detail) = split / /, $1, 4;

            if ($word eq 'ok') {
                $tracer->{ok} = 1;

            } elsif ($self->{asking}) {
                push @{ $self->{steps} }, { tracer => "$socket", tid => $tid,
                    name => $name, detail => $detail };
            }
        }
    }
}


1;
