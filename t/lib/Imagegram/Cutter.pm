package Imagegram::Cutter;

# A proxy that cuts connections: between a tus client and the server, in a
# process of its own.  It looks into what passes as far as it must, and draws
# from a seed where and how to cut.
#
#   my $cutter = Imagegram::Cutter->new(port => $t->port, size => $size,
#       seed => 7, inside => 6, heads => 2, end => 'sent reset',
#       log => $t->dir . '/cuts');
#   # a client uploads through $cutter->port
#   my @cuts = $cutter->stop;
#
# Cuts of PATCH are { method, path, offset, length, passed, how, next }, where
# "passed" bytes of "length" from "offset" went to the server before, and
# "next" is the Upload-Offset that the server told afterwards.  How:
#
#   close    the server sees the end and closes; then the client does, too
#   reset    both sides are reset
#   hang     the client is cut off; for the server the connection stays open
#
# Once all cuts inside of chunks are done, the last chunk loses its answer: the
# connection is cut when all bytes were sent ("sent"), or when the answer comes
# ("answered").  POST is left alone: cut, it would be a second upload.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Socket ();
use Time::HiRes ();

use Imagegram::Process qw(slurp);

use constant {
    CHUNK    => 65_536,
    PATIENCE => 30,        # seconds for the server to see an end
    TIOCOUTQ => 0x5411,    # bytes that the other side has not acknowledged
};


# Options: port, the server's; size, of the upload; seed; inside, how many cuts
# inside of PATCH requests; heads, how many HEAD requests may lose their
# answer; end, when and how the last chunk does; log, a new file.

sub new {
    my ($class, %options) = @_;

    my $listener = IO::Socket::INET->new(Listen => 16,
        LocalAddr => '127.0.0.1') or die "no free port: $!\n";

    my $self = bless {
        %options,
        own => $listener->sockport,
    }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";
    return $self if $self->{pid};

    # no END, no destructors of the test
    eval { $self->serve($listener); 1 } or print STDERR $@;
    POSIX::_exit(1);
}


sub port { $_[0]{own} }


# Ends it, and gives what it has cut, in order

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    local $?;
    kill 'KILL', $pid;
    waitpid $pid, 0;

    my $json = JSON::PP->new;
    my (@cuts, %last);

    for (map { $json->decode($_) } split /\n/, slurp($self->{log})) {
        if (exists $_->{told}) {
            $last{ $_->{path} }{next} //= $_->{told} if $last{ $_->{path} };
            next;
        }

        push @cuts, $_;
        $last{ $_->{path} } = $_ if $_->{method} eq 'PATCH';
    }

    return @cuts;
}

sub DESTROY { $_[0]->stop }


# --- the proxy

sub serve {
    my ($self, $listener) = @_;

    $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM);
    srand $self->{seed};

    $self->{connections} = [];
    open $self->{out}, '>>', $self->{log} or die "$self->{log}: $!\n";
    $self->{out}->autoflush;

    my $parent = getppid;

    $self->step($listener) while getppid == $parent;
}


sub step {
    my ($self, $listener) = @_;

    my ($reads, $writes) = (IO::Select->new($listener), IO::Select->new);
    my $connections = $self->{connections};
    my %by_fd;

    for my $c (@$connections) {
        for my $side (qw(client server)) {
            my $socket = $c->{$side} // next;

            $by_fd{ fileno $socket } = [$c, $side];
            $writes->add($socket) if length $c->{"to_$side"};
            $reads->add($socket) unless length $c->{ 'to_' . other($side) };
        }
    }

    my ($can_read, $can_write)
        = IO::Select::select($reads, $writes, undef, 0.02);

    # one that was closed meanwhile has no number any more
    for my $socket (@{ $can_write // [] }) {
        $self->on_write(@{ $by_fd{ fileno($socket) // -1 } // next });
    }

    for my $socket (@{ $can_read // [] }) {
        $socket == $listener ? $self->accept($listener)
            : $self->on_read(@{ $by_fd{ fileno($socket) // -1 } // next });
    }

    $self->go_on($_) for @$connections;
    @$connections = grep { $_->{client} || $_->{server} } @$connections;
}


sub other { $_[0] eq 'client' ? 'server' : 'client' }


sub accept {
    my ($self, $listener) = @_;

    my $client = $listener->accept or return;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port}) or die "connect: $!\n";

    $_->blocking(0) for $client, $server;

    push @{ $self->{connections} }, {
        client    => $client,
        server    => $server,
        to_client => '',
        to_server => '',
        head      => '',       # of a request, as far as it has come
        left      => 0,        # of its body
        request   => undef,    # the one whose answer is waited for
        cut       => undef,    # what is to be done to it
        state     => 'passing', # cutting, closing, hanging, ending
    };
}


sub on_read {
    my ($self, $c, $side) = @_;

    my $socket = $c->{$side} // return;
    my $n = sysread $socket, my $bytes, CHUNK;

    return if !defined $n
        && ($! == EAGAIN || $! == EINTR || $! == EWOULDBLOCK);

    if (!$n) {
        $self->ended($c, $side);
        return;
    }

    # what comes after the cut is lost
    return if $c->{state} ne 'passing';

    $side eq 'client' ? $self->from_client($c, $bytes)
        : $self->from_server($c, $bytes);
}


sub on_write {
    my ($self, $c, $side) = @_;

    my $socket = $c->{$side} // return;
    my $n = syswrite $socket, $c->{"to_$side"};

    if (defined $n) {
        substr($c->{"to_$side"}, 0, $n) = '';

    } elsif ($! != EAGAIN && $! != EINTR && $! != EWOULDBLOCK) {
        $self->ended($c, $side);
    }
}


# One side has closed, or was reset

sub ended {
    my ($self, $c, $side) = @_;

    $c->{$side}->close;
    $c->{$side} = undef;
    $c->{"to_$side"} = '';

    return if $c->{state} eq 'hanging';

    if ($side eq 'server' && $c->{state} eq 'passing') {
        # what it answered before is passed on
        $c->{state} = 'ending';

    } else {
        leave($c, other($side));
    }
}


sub leave {
    my ($c, $side, $reset) = @_;

    my $socket = $c->{$side} or return;

    setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack('ii', 1, 0) if $reset;

    $socket->close;
    $c->{$side} = undef;
    $c->{"to_$side"} = '';
}


# What happens in its own time: cuts, once all that is to pass has passed

sub go_on {
    my ($self, $c) = @_;

    my $state = $c->{state};

    if ($state eq 'ending') {
        leave($c, 'client') unless length $c->{to_client};

    } elsif ($state eq 'cutting') {
        # what the kernel still holds would be lost in a reset
        $self->cut($c) unless $c->{server}
            && (length $c->{to_server} || unsent($c->{server}));

    } elsif ($state eq 'closing' && Time::HiRes::time() > $c->{until}) {
        leave($c, $_) for qw(server client);
    }
}


sub unsent {
    my ($socket) = @_;

    my $count = pack 'i', 0;

    return ioctl($socket, TIOCOUTQ, $count) ? unpack 'i', $count : 0;
}


# --- what passes

sub from_client {
    my ($self, $c, $bytes) = @_;

    while (length $bytes && $c->{state} eq 'passing') {
        if ($c->{left} == 0) {
            $c->{head} .= $bytes;
            $c->{head} =~ /\A.*?\r\n\r\n/s or return;

            my $head = substr $c->{head}, 0, $+[0];

            $bytes = substr $c->{head}, $+[0];
            $c->{head} = '';
            $c->{to_server} .= $head;
            $self->begin($c, $head);

        } else {
            my $passed = substr $bytes, 0, $c->{left}, '';

            $passed = substr $passed, 0, $c->{cut}{at} - $c->{passed}
                if $c->{cut} && $c->{cut}{when} ne 'answered'
                    && $c->{cut}{at} - $c->{passed} < length $passed;

            $c->{left} -= length $passed;
            $c->{passed} += length $passed;
            $c->{to_server} .= $passed;
        }

        $c->{state} = 'cutting' if $c->{cut} && $c->{cut}{when} ne 'answered'
            && $c->{passed} >= $c->{cut}{at};
    }
}


# A request's head has come: decides what becomes of it

sub begin {
    my ($self, $c, $head) = @_;

    my ($method, $path) = $head =~ /\A(\S+) (\S+)/;
    my ($length) = $head =~ /^content-length:\s*(\d+)/mi;
    my ($offset) = $head =~ /^upload-offset:\s*(\d+)/mi;

    $c->{left} = $length // 0;
    $c->{passed} = 0;
    $c->{cut} = undef;
    $c->{request} = { method => $method, path => $path,
        offset => $offset // 0, length => $c->{left} };

    if ($method eq 'HEAD' && $self->{heads} > 0 && rand() < 0.3) {
        $self->{heads}--;
        $c->{cut} = { when => 'answered', at => 0, how => 'reset' };

    } elsif ($method eq 'PATCH' && $c->{left} > 0) {
        $c->{cut} = $self->patch($offset, $c->{left});
    }
}


sub patch {
    my ($self, $offset, $length) = @_;

    my $last = $offset + $length == $self->{size};

    # chunks on the way are cut now and then, what is the rest always
    if ($self->{inside} > 0 && ($last || rand() < 0.4)) {
        $self->{inside}--;

        return { when => 'inside', at => int(rand()**2 * $length),
            how => (qw(close reset hang))[ $self->{inside} % 3 ] };
    }

    if ($last && $self->{end}) {
        my ($when, $how) = split ' ', $self->{end};

        $self->{end} = undef;
        return { when => $when, at => $length, how => $how };
    }

    return;
}


sub from_server {
    my ($self, $c, $bytes) = @_;

    if ($c->{cut} && $c->{cut}{when} eq 'answered' && $c->{left} == 0) {
        $self->cut($c);
        return;
    }

    # where the server says that it is, after a cut
    $self->note(told => $1 + 0, path => $c->{request}{path})
        if $c->{request} && $c->{request}{method} eq 'HEAD'
            && $bytes =~ /^upload-offset:\s*(\d+)/mi;

    $c->{to_client} .= $bytes;
}


# --- cuts

sub cut {
    my ($self, $c) = @_;

    my $how = $c->{cut}{how};

    $self->note(%{ $c->{request} }, passed => $c->{passed}, how => $how,
        when => $c->{cut}{when});

    if ($how eq 'close') {
        $c->{state} = 'closing';
        $c->{until} = Time::HiRes::time() + PATIENCE;
        shutdown $c->{server}, 1 if $c->{server};

    } elsif ($how eq 'hang') {
        $c->{state} = 'hanging';
        leave($c, 'client', 1);

    } else {
        leave($c, $_, 1) for qw(server client);
    }
}


sub note {
    my ($self, %what) = @_;
    print { $self->{out} } JSON::PP->new->canonical->encode(\%what), "\n";
}


1;
