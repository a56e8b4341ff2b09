package Bench::Upload;

# Clients that send large bodies at full speed, a process each.  The bodies are
# in memory before they start, shared by all.

use strict;
use warnings;

use IO::Socket::INET ();
use MIME::Base64 ();
use POSIX ();

use constant PIECE => 262_144;


# A message is a request with its body, as references to bytes, in the order in
# which they are sent.  These take a reference to the image, which they do not
# copy if they can help it.

sub multipart {
    my ($image) = @_;

    my $boundary = 'bench-boundary';
    my $head = join '', map {
        "--$boundary\r\nContent-Disposition: form-data; name=\"$_->[0]\""
            . "\r\n\r\n$_->[1]"
    } [ author => "ann\r\n" ], [ body => "noise\r\n" ], [ image => '' ];

    return message('POST', '/posts', "multipart/form-data; boundary=$boundary",
        \$head, $image, \"\r\n--$boundary--\r\n");
}


sub json {
    my ($image) = @_;

    return message('POST', '/posts', 'application/json',
        \'{"author":"ann","body":"noise","image_contents":"',
        \MIME::Base64::encode_base64($$image, ''), \'"}');
}


sub put {
    my ($path, $image) = @_;
    return message('PUT', $path, 'application/octet-stream', $image);
}


sub message {
    my ($method, $path, $type, @parts) = @_;

    my $length = 0;

    $length += length $$_ for @parts;

    my $head = join '', "$method $path HTTP/1.1\r\nHost: localhost\r\n",
        "Content-Type: $type\r\nContent-Length: $length\r\n",
        "Connection: close\r\n\r\n";

    return [ \$head, @parts ];
}


# Starts a client for each of the lists of messages; finish() waits for them.
# A client that is not answered with 201 or 204 each time ends the benchmark.

sub start {
    my ($class, $port, @clients) = @_;

    my $self = bless { pids => [] }, $class;

    for my $messages (@clients) {
        defined(my $pid = fork) or die "fork: $!\n";

        if (!$pid) {
            my $ok = eval { transfer($port, @$_) for @$messages; 1 };

            print STDERR "upload: $@" unless $ok;
            POSIX::_exit($ok ? 0 : 1);
        }

        push @{ $self->{pids} }, $pid;
    }

    return $self;
}


sub finish {
    my ($self) = @_;

    for my $pid (@{ $self->{pids} }) {
        waitpid $pid, 0;
        die "an upload failed\n" if $?;
    }
}


sub transfer {
    my ($port, @parts) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "connect: $!\n";

    for my $part (@parts) {
        for (my $at = 0; $at < length $$part;) {
            my $n = syswrite $socket, $$part, PIECE, $at;

            die "write: $!\n" unless defined $n;
            $at += $n;
        }
    }

    my $answer = do { local $/; <$socket> } // '';

    $answer =~ m{^HTTP/1\.1 20[14] } or die substr($answer, 0, 400), "\n";
}


1;
