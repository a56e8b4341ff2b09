package Imagegram::Tus;

# Requests of tus 1.0.0, one upload each.
#
#   my $u = Imagegram::Tus->create($t, $image);     # dies unless 201
#   my $r = $u->patch(0, substr $image, 0, 100);
#   is($u->offset, 100);
#
# Options of all of them are those of Imagegram::request; tus => undef leaves
# out Tus-Resumable.

use strict;
use warnings;

use Exporter 'import';
use MIME::Base64 qw(encode_base64);

use Imagegram::Process qw(lock_file);

our @EXPORT_OK = qw(create_request metadata tus_request);


sub tus_request {
    my ($t, $method, $path, %options) = @_;

    my @headers = @{ delete $options{headers} // [] };
    my $version = exists $options{tus} ? delete $options{tus} : '1.0.0';

    unshift @headers, 'Tus-Resumable' => $version if defined $version;

    return $t->request($method, $path, %options, headers => \@headers);
}


# Upload-Metadata of some fields, in their order

sub metadata {
    my (@fields) = @_;
    my @pairs;

    while (my ($name, $value) = splice @fields, 0, 2) {
        push @pairs, "$name " . encode_base64($value, '');
    }

    return join ',', @pairs;
}


# POST uploads for that many bytes; fields => [ author => ... ]

sub create_request {
    my ($t, $length, %options) = @_;

    my $fields = delete $options{fields} // [author => 'ann', body => 'x'];
    my @headers = ('Upload-Length' => $length);

    push @headers, 'Upload-Metadata' => metadata(@$fields) if @$fields;
    push @headers, 'Content-Type' => 'application/offset+octet-stream'
        if defined $options{body};

    return tus_request($t, 'POST', 'uploads', length => 0, %options,
        defined $options{body} ? (length => length $options{body}) : (),
        headers => [@headers, @{ $options{headers} // [] }]);
}


sub create {
    my ($class, $t, $image, %options) = @_;

    my $r = create_request($t, length $image, %options);

    $r->{status} == 201
        or die "no upload: $r->{status} $r->{body}\n", $t->log(20), "\n";

    return $class->new($t, $r->{headers}{location});
}


sub new {
    my ($class, $t, $location) = @_;

    my ($id) = $location =~ m{uploads/([0-9a-f-]{36})$}
        or die "no upload: $location\n";

    return bless { t => $t, path => $location, id => $id }, $class;
}


sub path { $_[0]{path} }
sub id   { $_[0]{id} }


sub request {
    my ($self, $method, %options) = @_;
    return tus_request($self->{t}, $method, $self->{path}, %options);
}


sub head { my $self = shift; $self->request('HEAD', @_) }


# PATCH with some bytes from an offset; sha1 => hexadecimal digits

sub patch {
    my ($self, $offset, $bytes, %options) = @_;
    return $self->request('PATCH', $self->chunk($offset, $bytes, %options));
}


# what patch() takes, also for Imagegram::HTTP::send

sub chunk {
    my ($self, $offset, $bytes, %options) = @_;

    my $sha1 = delete $options{sha1};
    my @headers = ('Upload-Offset' => $offset,
        'Content-Type' => 'application/offset+octet-stream',
        @{ delete $options{headers} // [] });

    push @headers, 'Upload-Checksum' =>
        'sha1 ' . encode_base64(pack('H*', $sha1), '') if defined $sha1;

    return (body => $bytes, %options, headers => \@headers);
}


# A PATCH on a connection of its own, announced with all its bytes, of which
# only some are sent; gives the connection.

sub begin {
    my ($self, $offset, $bytes, $sent, %options) = @_;

    my %chunk = $self->chunk($offset, $bytes, %options);
    my @headers = ('Host', 'localhost', 'Tus-Resumable', '1.0.0',
        'Content-Length', length $bytes, @{ $chunk{headers} });
    my $head = "PATCH $self->{path} HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    return $self->{t}->connect->write("$head\r\n" . substr($bytes, 0, $sent),
        'PATCH');
}


sub offset {
    my ($self) = @_;
    return $self->head->{headers}{'upload-offset'};
}


# Holds the lock of the upload, as a worker does that writes to it: until what
# this gives is closed, nothing happens to the upload.

sub lock {
    my ($self) = @_;

    my $path = $self->{t}->storage . "/uploads/$self->{id}.info";

    return lock_file($path, 1) // die "$path: $!\n";
}


# The post's path once there is one

sub post { $_[0]->head->{headers}{'content-location'} }


1;
