package Imagegram::RedisProxy;

# A proxy between nginx and Redis, in a process of its own, that holds back what
# a test wants held back.
#
#   my $proxy = Imagegram::RedisProxy->new("$dir/proxy.sock",
#       $t->redis_socket);
#   $proxy->hold_replies('+inf');       # of connections on which that was sent
#   wait_for(sub { $proxy->held });     # Redis has answered such a command
#   $proxy->release;
#
#   hold_replies(text)     from the next command on that contains text
#   hold_commands(text)    that command itself; also where the worker closes
#                          its connection meanwhile, it goes to Redis later
#   held                   how many connections hold something
#   release                everything, and holds no more
#   mute(text)             what comes from Redis on connections on which text
#                          was sent is dropped
#   seen(text)             how many commands contained text
#   pids(text)             of the processes that sent such commands
#   cut(text)              closes connections on which text was sent
#   pieces                 from now on replies are passed on byte by byte
#   spoil(text, n, bytes)  of what follows the next command that contains text
#                          n bytes are passed on, then these; the connection
#                          is closed where bytes are empty, else left open
#   inject(text, bytes)    sends these on connections on which text was sent
#   refuse, accept         new connections: are closed at once; are served
#                          again

use strict;
use warnings;

use IO::Select ();
use IO::Socket::UNIX ();
use POSIX ();
use Socket ();

use constant SO_PEERCRED => 17;    # Linux


sub new {
    my ($class, $path, $redis) = @_;

    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        or die "$path: $!\n";

    chmod 0777, $path;

    socketpair(my $ours, my $theirs, Socket::AF_UNIX, Socket::SOCK_STREAM, 0)
        or die "socketpair: $!\n";

    $_->autoflush(1) for $ours, $theirs;

    my $self = bless { owner => $$, control => $ours }, $class;

    defined($self->{pid} = fork) or die "fork: $!\n";

    if ($self->{pid} == 0) {
        close $ours;
        eval {
            Imagegram::RedisProxy::Loop->new($listen, $theirs, $redis)->run;
        };
        print STDERR $@ if $@;
        POSIX::_exit(0);
    }

    return $self;
}


sub ask {
    my ($self, @command) = @_;

    print { $self->{control} } join(' ', @command), "\n";

    my $answer = readline $self->{control};

    chomp($answer //= '');

    return $answer;
}

sub hold_replies  { $_[0]->ask('replies',  $_[1]) }
sub hold_commands { $_[0]->ask('commands', $_[1]) }
sub held          { $_[0]->ask('held') }
sub release       { $_[0]->ask('release') }
sub seen          { $_[0]->ask('seen', $_[1]) }
sub pids          { split ' ', $_[0]->ask('pids', $_[1]) }
sub mute          { $_[0]->ask('mute', $_[1]) }
sub cut           { $_[0]->ask('cut', $_[1]) }
sub pieces        { $_[0]->ask('pieces') }
sub spoil         { $_[0]->ask('spoil', unpack('H*', $_[3]) . "/$_[2]/$_[1]") }
sub inject        { $_[0]->ask('inject', unpack('H*', $_[2]) . "/$_[1]") }
sub refuse        { $_[0]->ask('refuse') }
sub accept        { $_[0]->ask('accept') }


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local $?;
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}


package Imagegram::RedisProxy::Loop;

sub new {
    my ($class, $listen, $control, $redis) = @_;

    return bless {
        listen  => $listen,
        control => $control,
        redis   => $redis,
        select  => IO::Select->new($listen, $control),
        side    => {},     # by socket: [ connection, from ]
        sent    => '',     # by all, for seen()
        hold    => {},     # text, by kind
        refuse  => 0,
    }, $class;
}


sub run {
    my ($self) = @_;

    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = 'DEFAULT';

    while (1) {
        for my $socket ($self->{select}->can_read) {

            if ($socket == $self->{listen}) {
                $self->connection;

            } elsif ($socket == $self->{control}) {
                defined(my $line = readline $socket) or return;
                chomp $line;
                my ($command, $text) = split / /, $line, 2;
                print {$socket} $self->command($command, $text), "\n";

            } elsif (my $side = $self->{side}{$socket}) {
                $self->pass(@$side);
            }
        }
    }
}


sub connection {
    my ($self) = @_;

    my $client = $self->{listen}->accept or return;

    if ($self->{refuse}) {
        close $client;
        return;
    }

    my $server = IO::Socket::UNIX->new(Peer => $self->{redis});

    if (!$server) {
        close $client;
        return;
    }

    my ($pid) = unpack 'i',
        getsockopt($client, Socket::SOL_SOCKET,
            Imagegram::RedisProxy::SO_PEERCRED);

    my $c = {
        pid    => $pid,
        client => $client,
        server => $server,
        sent   => '',
        held   => { client => '', server => '' },    # by where it came from
        hold   => {},
    };

    $self->{side}{ $c->{$_} } = [$c, $_] for qw(client server);
    $self->{select}->add($client, $server);
}


sub pass {
    my ($self, $c, $from) = @_;

    sysread($c->{$from}, my $bytes, 65536) or return $self->end($c, $from);

    if ($from eq 'client') {
        $c->{sent} .= $bytes;
        $self->{sent} .= $bytes;

        for my $kind (qw(client server)) {
            my $text = $self->{hold}{$kind};

            $c->{hold}{$kind} = 1
                if defined $text && index($bytes, $text) >= 0;
        }

        my $spoil = $self->{spoil};

        if ($spoil && index($bytes, $spoil->{text}) >= 0) {
            $c->{spoil} = delete $self->{spoil};
        }

    } elsif (my $spoil = $c->{spoil}) {
        substr($bytes, $spoil->{left}) = '' if length $bytes > $spoil->{left};
        $spoil->{left} -= length $bytes;

        if ($spoil->{left} == 0) {
            delete $c->{spoil};
            $c->{held}{server} .= $bytes . $spoil->{bytes};
            $self->flush($c, 'server');
            $c->{mute} = 1;
            $self->end($c, 'server') unless length $spoil->{bytes};
            return;
        }
    }

    return if $c->{mute} && $from eq 'server';

    $c->{held}{$from} .= $bytes;
    $self->flush($c, $from) unless $c->{hold}{$from};
}


sub flush {
    my ($self, $c, $from) = @_;

    my $to = $c->{ $from eq 'client' ? 'server' : 'client' };

    while ($to && length $c->{held}{$from}) {
        my $n = $self->{pieces} && $from eq 'server' ? 1
            : length $c->{held}{$from};

        $n = syswrite($to, $c->{held}{$from}, $n) or last;
        substr $c->{held}{$from}, 0, $n, '';
    }
}


# One side has closed: so does the other, once nothing is held.

sub end {
    my ($self, $c, $from) = @_;

    my $socket = delete $c->{$from} or return;

    $self->{select}->remove($socket);
    delete $self->{side}{$socket};
    close $socket;

    return if length $c->{held}{client};

    $self->end($c, $_) for grep { $c->{$_} } qw(client server);
}


sub command {
    my ($self, $command, $text) = @_;

    my %connections = map { $_->[0] => $_->[0] } values %{ $self->{side} };
    my @connections = values %connections;

    if ($command eq 'replies') {
        $self->{hold}{server} = $text;

    } elsif ($command eq 'commands') {
        $self->{hold}{client} = $text;

    } elsif ($command eq 'held') {
        return scalar grep { length join '', values %{ $_->{held} } }
            @connections;

    } elsif ($command eq 'release') {
        $self->{hold} = {};

        for my $c (@connections) {
            $c->{hold} = {};
            $self->flush($c, $_) for qw(client server);
            $self->end($c, 'server') if !$c->{client};
        }

    } elsif ($command eq 'seen') {
        return scalar(() = $self->{sent} =~ /\Q$text\E/g);

    } elsif ($command eq 'pids') {
        return join ' ', map { $_->{pid} }
            grep { $_->{client} && index($_->{sent}, $text) >= 0 }
            @connections;

    } elsif ($command eq 'mute') {
        $_->{mute} = 1 for grep { index($_->{sent}, $text) >= 0 } @connections;

    } elsif ($command eq 'pieces') {
        $self->{pieces} = 1;

    } elsif ($command eq 'spoil') {
        my ($bytes, $left, $of) = split m{/}, $text, 3;

        $self->{spoil} = { text => $of, left => $left,
            bytes => pack 'H*', $bytes };

    } elsif ($command eq 'inject') {
        my ($bytes, $of) = split m{/}, $text, 2;

        for my $c (grep { index($_->{sent}, $of) >= 0 } @connections) {
            $c->{held}{server} .= pack 'H*', $bytes;
            $self->flush($c, 'server');
        }

    } elsif ($command eq 'cut') {
        for my $c (grep { index($_->{sent}, $text) >= 0 } @connections) {
            $self->end($c, $_) for grep { $c->{$_} } qw(client server);
        }

    } else {
        $self->{refuse} = $command eq 'refuse';
    }

    return 'done';
}


1;
