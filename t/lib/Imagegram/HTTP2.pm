package Imagegram::HTTP2;

# As much of HTTP/2 as it takes to send a part of a request and to leave, which
# no client does on purpose.  Answers are not read.
#
#   my $c = Imagegram::HTTP2->new(port => $t->port(2));
#   $c->begin('PATCH', '/uploads/ID', ['upload-offset' => 0], $bytes);
#   $c->data($more);
#   $c->reset;                      # the stream; $c->close the connection
#   $c->next_stream;                # the next request is on another one

use strict;
use warnings;

use IO::Socket::INET ();
use Socket ();

use constant {
    DATA       => 0,
    HEADERS    => 1,
    RST_STREAM => 3,
    SETTINGS   => 4,

    END_HEADERS => 4,
    CANCEL      => 8,
    FRAME       => 16_384,    # the longest one, and less than the first window
};


sub new {
    my ($class, %options) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $options{port}) or die "connect: $!\n";

    my $self = bless { socket => $socket, stream => 1 }, $class;

    $self->put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame(SETTINGS, 0, 0, '');

    return $self;
}


# A request, with headers (in small letters) and the first bytes of its body, at
# most 64 KB.

sub begin {
    my ($self, $method, $path, $headers, $bytes) = @_;

    my @headers = (':method', $method, ':scheme', 'http', ':path', $path,
        ':authority', 'localhost', @$headers);
    my $block = '';

    # literals, neither indexed nor packed
    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= "\0" . string($name) . string($value);
    }

    $self->frame(HEADERS, END_HEADERS, $self->{stream}, $block);
    return $self->data($bytes);
}


sub data {
    my ($self, $bytes) = @_;

    $self->frame(DATA, 0, $self->{stream}, $_)
        for unpack '(a' . FRAME . ')*', $bytes;

    return $self;
}



sub string { chr(length $_[0]) . $_[0] }


sub reset { $_[0]->frame(RST_STREAM, 0, $_[0]{stream}, pack 'N', CANCEL) }


sub next_stream { $_[0]{stream} += 2 }


# $rst: as a client that vanishes

sub close {
    my ($self, $rst) = @_;

    setsockopt $self->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack('ii', 1, 0) if $rst;
    $self->{socket}->close;
}


sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    $self->put(substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload);
}


sub put {
    my ($self, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes or die "write: $!\n";
        substr($bytes, 0, $n) = '';
    }
}


1;
