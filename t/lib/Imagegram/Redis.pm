package Imagegram::Redis;

# A Redis client for tests: one command, one reply, blocking.

use strict;
use warnings;

use IO::Socket::UNIX ();


sub new {
    my ($class, $path) = @_;

    my $socket = IO::Socket::UNIX->new(Peer => $path)
        or die "connect to $path: $!\n";

    return bless { socket => $socket }, $class;
}


# Gives a string, a number, undef or an array reference; dies on an error.

sub command {
    my ($self, @arguments) = @_;

    print { $self->{socket} } '*' . @arguments . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @arguments;
    $self->{socket}->flush;

    return $self->reply;
}


sub reply {
    my ($self) = @_;

    defined(my $line = readline $self->{socket})
        or die "Redis closed the connection\n";

    my ($type, $value) = $line =~ /^(.)(.*)\r\n\z/s
        or die "not a reply: $line\n";

    return $value if $type eq '+' || $type eq ':';
    die "$value\n" if $type eq '-';
    return if $value < 0;

    if ($type eq '$') {
        read $self->{socket}, my $bytes, $value + 2;
        return substr $bytes, 0, $value;
    }

    return [ map { scalar $self->reply } 1 .. $value ];
}


1;
