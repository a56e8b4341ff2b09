package Bench::Upload;

# Clients that send large bodies at full speed, a process each.  A body is in
# memory before they start, shared by all.

use strict;
use warnings;

use IO::Socket::INET ();
use List::Util qw(min);
use MIME::Base64 ();
use POSIX ();
use Time::HiRes ();

use constant PIECE => 262_144;


# The request for a post with this image, whole, as bytes.

sub multipart {
    my ($image) = @_;

    my $boundary = 'bench-boundary';
    my $head = join '', map {
        "--$boundary\r\nContent-Disposition: form-data; name=\"$_->[0]\""
            . "\r\n\r\n$_->[1]"
    } [ author => "ann\r\n" ], [ body => "noise\r\n" ], [ image => '' ];

    return message('POST', '/posts', "multipart/form-data; boundary=$boundary",
        $head, $image, "\r\n--$boundary--\r\n");
}


sub json {
    my ($image) = @_;

    return message('POST', '/posts', 'application/json',
        '{"author":"ann","body":"noise","image_contents":"',
        MIME::Base64::encode_base64($image, ''), '"}');
}


sub put {
    my ($path, $image) = @_;
    return message('PUT', $path, 'application/octet-stream', $image);
}


sub message {
    my ($method, $path, $type, @parts) = @_;

    my $length = 0;

    $length += length for @parts;

    return join '', "$method $path HTTP/1.1\r\nHost: localhost\r\n",
        "Content-Type: $type\r\nContent-Length: $length\r\n",
        "Connection: close\r\n\r\n", @parts;
}


# Starts a client for each of the messages (references), which it sends so many
# times; finish() waits for them.  A client that is not answered with 201 or
# 204 each time ends the benchmark.

sub start {
    my ($class, $port, $times, @messages) = @_;

    my $self = bless { begin => Time::HiRes::time(), pids => [] }, $class;

    for my $message (@messages) {
        defined(my $pid = fork) or die "fork: $!\n";

        if (!$pid) {
            my $ok = eval { transfer($port, $message) for 1 .. $times; 1 };

            print STDERR "upload: $@" unless $ok;
            POSIX::_exit($ok ? 0 : 1);
        }

        push @{ $self->{pids} }, $pid;
    }

    return $self;
}


# Gives the seconds from the start to the last answer.

sub finish {
    my ($self) = @_;

    for my $pid (@{ $self->{pids} }) {
        waitpid $pid, 0;
        die "an upload failed\n" if $?;
    }

    return Time::HiRes::time() - $self->{begin};
}


sub transfer {
    my ($port, $message) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "connect: $!\n";

    for (my $at = 0; $at < length $$message;) {
        my $n = syswrite $socket, $$message, PIECE, $at;

        die "write: $!\n" unless defined $n;
        $at += $n;
    }

    my $answer = do { local $/; <$socket> };

    $answer =~ m{^HTTP/1\.1 20[14] } or die substr($answer, 0, 400), "\n";
}


1;
