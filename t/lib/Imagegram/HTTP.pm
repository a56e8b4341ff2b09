package Imagegram::HTTP;

# One HTTP/1.1 connection, not blocking: requests are queued with send(), and
# run() moves any number of connections at a time until all have their answers.
#
#   my $c = Imagegram::HTTP->new(port => 8080);
#   my $r = $c->request(method => 'GET', path => '/posts');
#   # { status, headers => { name => value }, body, json, time, interim }
#
# Where a connection ended before the answer did, the status is 0.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 ();
use Socket ();
use Time::HiRes ();

use Imagegram::Body ();

use constant CHUNK => 262_144;


sub new {
    my ($class, %options) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $options{port},
        Timeout  => 10,
    ) or die "connect to $options{port}: $!\n";

    $socket->blocking(0);
    binmode $socket;

    return bless {
        socket    => $socket,
        timeout   => 60,
        out       => '',    # to be written
        source    => undef, # what gives more of it
        held      => undef, # source that waits for 100 Continue
        in        => '',    # not yet parsed
        sent      => [],    # requests without an answer
        responses => [],    # answers not yet taken
        interim   => [],
        closed    => 0,     # by the other side
        %options,
    }, $class;
}


# Queues a request:
#
#   method, path      GET, /
#   headers           [ name => value, ... ]
#   body              a string, { file => path }, or a sub that gives pieces,
#                     then undef
#   length            Content-Length, where it cannot be told (a sub) or should
#                     be wrong; without, a sub's body is sent chunked
#   chunked           send it chunked
#   expect            wait for 100 Continue, send no body if refused
#   pieces            bytes a write, with "pause" seconds in between

sub send {
    my ($self, %request) = @_;

    my $method = $request{method} // 'GET';
    my @headers = (Host => 'localhost', @{ $request{headers} // [] });
    my ($source, $length) = Imagegram::Body::source($request{body});

    $length = $request{length} if defined $request{length};

    if ($source && ($request{chunked} || !defined $length)) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        $source = Imagegram::Body::chunks($source);

    } elsif (defined $length) {
        push @headers, 'Content-Length' => $length;
    }

    push @headers, Expect => '100-continue' if $request{expect};

    $self->{out} .= sprintf "%s %s HTTP/1.1\r\n", $method,
        $request{path} // '/';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $self->{out} .= "$name: $value\r\n";
    }

    $self->{out} .= "\r\n";
    $self->{ $request{expect} ? 'held' : 'source' } = $source;
    @$self{qw(pieces pause)} = @request{qw(pieces pause)};

    push @{ $self->{sent} },
        { method => $method, time => Time::HiRes::time() };

    return $self;
}


# send(), and the answer

sub request {
    my ($self, %request) = @_;
    return $self->send(%request)->response;
}


# The next answer, waited for

sub response {
    my ($self) = @_;

    run([$self], $self->{timeout}) unless @{ $self->{responses} };

    return shift @{ $self->{responses} }
        // { status => 0, headers => {}, body => '', interim => [] };
}


# Bytes as they are; for each method given an answer is expected

sub write {
    my ($self, $bytes, @methods) = @_;

    $self->{out} .= $bytes;
    push @{ $self->{sent} },
        map { { method => $_, time => Time::HiRes::time() } } @methods;

    return $self->flush;
}


# Writes what was queued

sub flush {
    my ($self) = @_;

    my $end = Time::HiRes::time() + $self->{timeout};

    while ((length $self->{out} || $self->{source}) && !$self->{closed}
        && Time::HiRes::time() < $end)
    {
        step([$self], 1);
    }

    return $self;
}


# Leaves, with a reset if so wished

sub close {
    my ($self, $reset) = @_;

    setsockopt $self->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack('ii', 1, 0) if $reset;

    $self->{socket}->close;
    $self->{closed} = 1;
}


# Whether the other side has closed, or does within these seconds

sub closed {
    my ($self, $seconds) = @_;

    my $end = Time::HiRes::time() + ($seconds // 0);

    do {
        step([$self], 0.05) unless $self->{closed};
    } until $self->{closed} || Time::HiRes::time() > $end;

    return $self->{closed};
}


# --- the loop

# Moves connections until each has its answers or is closed, or time is over;
# a callback gets every connection once it has.  It may send() more.

sub run {
    my ($connections, $seconds, $done) = @_;

    my $end = Time::HiRes::time() + $seconds;
    my @busy = @$connections;

    while (1) {
        my @still;

        for my $c (@busy) {
            if (@{ $c->{sent} } && !$c->{closed}) {
                push @still, $c;

            } elsif ($done) {
                $done->($c);
                push @still, $c if @{ $c->{sent} } && !$c->{closed};
            }
        }

        @busy = @still;

        return if !@busy || Time::HiRes::time() > $end;

        step(\@busy, 0.2);
    }
}


sub step {
    my ($connections, $seconds) = @_;

    my ($reads, $writes) = (IO::Select->new, IO::Select->new);
    my %by_fd;
    my $now = Time::HiRes::time();

    for my $c (@$connections) {
        next if $c->{closed};

        $by_fd{ fileno $c->{socket} } = $c;
        $reads->add($c->{socket});

        next unless length $c->{out} || $c->{source};

        if (($c->{paused} // 0) > $now) {
            $seconds = $c->{paused} - $now if $c->{paused} - $now < $seconds;
        } else {
            $writes->add($c->{socket});
        }
    }

    my ($can_read, $can_write)
        = IO::Select::select($reads, $writes, undef, $seconds);

    $by_fd{ fileno $_ }->on_read for @{ $can_read // [] };

    for my $socket (@{ $can_write // [] }) {
        my $c = $by_fd{ fileno($socket) // -1 } or next;
        $c->on_write unless $c->{closed};
    }
}


sub on_write {
    my ($self) = @_;

    while ($self->{source} && length $self->{out} < CHUNK) {
        my $piece = $self->{source}->();

        $self->{source} = undef unless defined $piece;
        $self->{out} .= $piece // '';
    }

    return unless length $self->{out};

    my $n = syswrite $self->{socket}, $self->{out},
        $self->{pieces} // length $self->{out};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR || $! == EWOULDBLOCK;

        # what was answered before may still be there to be read
        $self->{out} = '';
        $self->{source} = undef;
        return;
    }

    substr($self->{out}, 0, $n) = '';
    $self->{paused} = Time::HiRes::time() + $self->{pause} if $self->{pause};
}


sub on_read {
    my ($self) = @_;

    my $n = sysread $self->{socket}, $self->{in}, CHUNK, length $self->{in};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR || $! == EWOULDBLOCK;
        $n = 0;
    }

    $self->{closed} = 1 if $n == 0;

    while (@{ $self->{sent} }) {
        my $r = take(\$self->{in}, $self->{sent}[0]{method}, $self->{closed})
            or last;

        if ($r->{status} < 200) {
            push @{ $self->{interim} }, $r->{status};
            ($self->{source}, $self->{held}) = ($self->{held}, undef);
            next;
        }

        my $sent = shift @{ $self->{sent} };

        $r->{time} = Time::HiRes::time() - $sent->{time};
        $r->{interim} = $self->{interim};
        $self->{interim} = [];
        $self->{held} = undef;

        # refused early: nothing more is sent, as a browser does
        $self->{source} = undef;
        $self->{out} = '' unless @{ $self->{sent} };

        push @{ $self->{responses} }, $r;
    }
}


# --- messages

# Takes one response off a buffer; undef if it is not complete.

sub take {
    my ($buffer, $method, $closed) = @_;

    $$buffer =~ m{\A(HTTP/\S+ (\d+).*?\r\n)\r\n}s or return;

    my ($head, $status, $start) = ($1, $2, $+[0]);
    my %headers;

    while ($head =~ /^([^:\s]+):[ \t]*(.*?)[ \t]*\r$/mg) {
        my $name = lc $1;

        $headers{$name}
            = exists $headers{$name} ? "$headers{$name}, $2" : $2;
    }

    my ($body, $length) = ('', $headers{'content-length'});
    my $end = $start;

    if ($method eq 'HEAD' || $status < 200 || $status == 204
        || $status == 304)
    {
        # no body

    } elsif (($headers{'transfer-encoding'} // '') =~ /chunked/i) {
        ($body, $end) = dechunk($buffer, $start);
        return unless defined $end;

    } elsif (defined $length) {
        return if length($$buffer) - $start < $length;
        $body = substr $$buffer, $start, $length;
        $end += $length;

    } else {
        return unless $closed;
        $body = substr $$buffer, $start;
        $end = length $$buffer;
    }

    substr($$buffer, 0, $end) = '';

    my $r = { status => $status, headers => \%headers, body => $body,
        head => $head };

    if (($headers{'content-type'} // '') =~ m{^application/(\w+\+)?json}) {
        $r->{json} = eval { JSON::PP->new->utf8->allow_nonref->decode($body) };
    }

    return $r;
}


sub dechunk {
    my ($buffer, $at) = @_;

    my $body = '';

    while (1) {
        pos($$buffer) = $at;
        $$buffer =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/g or return;

        my ($length, $start) = (hex $1, $+[0]);

        return if length $$buffer < $start + $length + 2;
        return ($body, $start + 2) if $length == 0;

        $body .= substr $$buffer, $start, $length;
        $at = $start + $length + 2;
    }
}


# A response as curl -i prints it: the last one, whole

sub parse {
    my ($text) = @_;

    my ($head, $body) = ('', $text);

    ($head, $body) = ("$1\r\n", $') while $body =~ m{\AHTTP/.*?\r\n\r\n}s
        && $body =~ m{\A(HTTP/.*?)\r\n\r\n}s;

    $head .= 'Content-Length: ' . length($body) . "\r\n";
    $head =~ s/^(?:transfer-encoding|content-length):.*\r\n(?=.)//mgi;

    my $whole = "$head\r\n$body";

    return take(\$whole, 'GET', 1)
        // { status => 0, headers => {}, body => $text };
}


sub basic {
    my ($user, $password) = @_;
    return 'Basic ' . MIME::Base64::encode_base64("$user:$password", '');
}


sub listens {
    my ($port) = @_;
    return !!IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
    );
}


1;
