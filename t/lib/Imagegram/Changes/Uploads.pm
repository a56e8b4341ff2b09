package Imagegram::Changes::Uploads;

# Resumable uploads, and what the server does by itself; see Imagegram::Changes.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use File::Path ();

use Imagegram::Changes::Posts
    qw(again begin finished is_answer is_post post_form);
use Imagegram::Process qw(slurp wait_for);
use Imagegram::Storage qw(age id plant shard);
use Imagegram::Tus ();


our %changes = (
    'upload'       => { act => \&upload, settle => \&is_upload },
    'upload all'   => { act => \&upload_all, settle => \&is_upload_all },
    'patch'        => { stage => \&stage_upload, act => \&patch_half,
        settle => \&is_half },
    'patch sha1'   => { stage => \&stage_upload, act => \&patch_checked,
        settle => \&is_half },
    'last patch'   => { stage => \&stage_half, act => \&patch_rest,
        settle => \&is_whole },
    'delete upload' => { stage => \&stage_half, act => \&delete_upload,
        settle => \&is_no_upload },
    'recovery'     => { stage => \&stage_waiting, act => \&begin_redis,
        done => \&is_recovered, settle => \&is_whole },
    'start'        => { stage => \&stage_nothing, act => \&begin_nginx,
        done => \&is_started, settle => \&is_new },
    'sweep'        => { stage => \&stage_leftovers, act => \&begin_sweep,
        done => \&is_swept, settle => \&is_in_trash },
);


# --- uploads

sub tus_begin {
    my ($self, $method, $path, %options) = @_;

    return begin($self, $method, $path, %options, headers =>
        ['Tus-Resumable' => '1.0.0', @{ $options{headers} // [] }]);
}

sub upload {
    my ($self, %options) = @_;

    return tus_begin($self, 'POST', 'uploads', length => 0, %options,
        headers => ['Upload-Length' => length $self->{image},
            'Upload-Metadata' => Imagegram::Tus::metadata(author => 'ann',
                body => $self->{tag}), @{ $options{headers} // [] }]);
}

sub upload_all {
    my ($self) = @_;

    return upload($self, body => $self->{image},
        length => length $self->{image},
        headers => ['Content-Type' => 'application/offset+octet-stream']);
}

# who was not told knows no URL, so nothing may come of it

sub is_upload {
    my ($self) = @_;

    my $told = is_answer($self, 201) or return 'absent';

    $self->{upload} = Imagegram::Tus->new($self->{t},
        $self->{answer}{headers}{location});
    resume($self, 0, 0);

    return 'acknowledged';
}


# It is complete once that was told, and becomes a post by itself if it is none
# yet.

sub is_upload_all {
    my ($self) = @_;

    my $headers = $self->{answer}{headers};

    if ($self->{answer}{status} != 201 || $headers->{'content-location'}) {
        $self->owes_nothing;
        return is_post($self);
    }

    $self->{upload} = Imagegram::Tus->new($self->{t}, $headers->{location});
    is_made($self);

    return 'acknowledged';
}


sub stage_upload {
    my ($self) = @_;

    $self->{upload} = Imagegram::Tus->new($self->{t},
        finished(upload($self))->{headers}{location});
    $self->{half} = int length($self->{image}) / 2;
}

sub patch {
    my ($self, $from, $to, %options) = @_;

    my $bytes = substr $self->{image}, $from, $to - $from;

    $options{sha1} = sha1_hex($bytes) if delete $options{checked};

    return tus_begin($self, 'PATCH', $self->{upload}->path,
        $self->{upload}->chunk($from, $bytes, %options));
}

sub patch_half    { patch($_[0], 0, $_[0]{half}) }
sub patch_checked { patch($_[0], 0, $_[0]{half}, checked => 1) }
sub patch_rest    { patch($_[0], $_[0]{half}, length $_[0]{image}) }

sub stage_half {
    my ($self) = @_;

    stage_upload($self);
    finished(patch_half($self));
}

sub is_half {
    my ($self) = @_;

    my $told = is_answer($self, 204);
    my $offset = resume($self, $told ? $self->{half} : 0, $self->{half});

    $self->fault("$offset bytes of a chunk with a checksum")
        if $self->{change} =~ /sha1/ && $offset && $offset != $self->{half};

    return $told ? 'acknowledged' : $offset ? 'complete' : 'absent';
}


# What a phone does: asks where it was, which must be between these, and sends
# the rest.  Gives where it was.

sub resume {
    my ($self, $least, $most) = @_;

    my $u = $self->{upload};
    my $head = again($self, sub { $u->head });
    my $offset = $head->{headers}{'upload-offset'};

    if ($head->{status} != 200 || !defined $offset) {
        $self->fault("HEAD is answered $head->{status}");
        return 0;
    }

    $self->fault("Upload-Offset $offset, not $least to $most")
        if $offset < $least || $offset > $most;

    if ($offset < length $self->{image}) {
        my $answer = finished(patch($self, $offset, length $self->{image}));

        $self->fault("the rest is answered $answer->{status}")
            unless $answer->{status} == 204 || $answer->{status} == 503;
    }

    is_made($self);

    return $offset;
}

# It becomes a post, by itself, and whoever asks for the upload hears of it.

sub is_made {
    my ($self) = @_;

    my $path = 'posts/' . $self->{upload}->id;

    wait_for(sub { $self->{t}->get($path)->{status} == 200 }, 60)
        or $self->fault('an upload with all of its bytes becomes no post');
    wait_for(sub { ($self->{upload}->post // '') =~ m{\Q$path\E\z} }, 30)
        or $self->fault('HEAD does not tell of the post');
    $self->learn(grep { $_->{Body} eq $self->{tag} } $self->posts);
}


# Where all bytes are there nobody asks; "complete" then is a post, too.

sub is_whole {
    my ($self) = @_;

    my $told = $self->{answer} && is_answer($self, 204);
    my $bytes = $self->{t}->storage . '/uploads/' . $self->{upload}->id;
    my $whole = $told || !-e $bytes || -s $bytes == length $self->{image};

    $self->fault('bytes are not what was sent')
        if index($self->{image}, slurp($bytes)) != 0;

    if ($whole) {
        is_made($self);
    } else {
        resume($self, $self->{half}, length $self->{image});
    }

    return $told ? 'acknowledged' : $whole ? 'complete' : 'absent';
}


sub delete_upload { tus_begin($_[0], 'DELETE', $_[0]{upload}->path) }

sub is_no_upload {
    my ($self) = @_;

    my $told = is_answer($self, 204);
    my $head = again($self, sub { $self->{upload}->head });
    my $there = $head->{status} == 200;

    $self->fault('it is still there') if $told && $there;
    $self->fault("HEAD is answered $head->{status}")
        if $head->{status} !~ /^(?:200|404|410)\z/;
    resume($self, $self->{half}, $self->{half}) if $there;

    return $told ? 'acknowledged' : $there ? 'absent' : 'complete';
}


# --- what the server does by itself

# An upload that waits for Redis

sub stage_waiting {
    my ($self) = @_;

    stage_half($self);
    $self->{t}->stop_redis;

    my $answer = finished(patch_rest($self));

    $self->fault("without Redis: $answer->{status}")
        if $answer->{status} != 503;
}

sub begin_redis {
    my ($self) = @_;

    $self->{t}->begin_redis;

    return;
}

sub is_recovered {
    my ($self) = @_;
    return !-e $self->{t}->storage . '/uploads/' . $self->{upload}->id;
}


# The first start of all

sub stage_nothing {
    my ($self) = @_;

    my $t = $self->{t};

    $t->stop_nginx;
    $self->unlock;
    File::Path::remove_tree($t->storage, { safe => 0 });
    $t->redis('FLUSHALL');
    %{ $self->{known} } = ();
}

sub begin_nginx {
    my ($self) = @_;

    $self->{t}->begin_nginx;

    return;
}

# Once it has begun to sweep, the sweeper rests.

sub is_started {
    my ($self) = @_;

    my $storage = $self->{t}->storage;

    return -e "$storage/id" && !-e "$storage/new"
        && ($self->{started} ||= $self->locks);
}

sub is_new {
    my ($self) = @_;

    my $was = is_started($self);

    wait_for(sub { is_started($self) }, 60)
        or $self->fault('the storage is not set up');
    $self->{answer} = finished(post_form($self));
    is_post($self) eq 'acknowledged' or $self->fault('no post can be made');

    return $was ? 'complete' : 'absent';
}


# Of all kinds; where they are to be afterwards.

sub stage_leftovers {
    my ($self) = @_;

    my $t = $self->{t};
    my %left;

    for (1, 2) {
        my $id = id();

        $left{ plant($t, shard('images', $id, 'jpg'), 2) }
            = "trash/images/$id.jpg";
        $left{ plant($t, shard('originals', $id, 'png'), 2) }
            = "trash/originals/$id.png";
        $left{ plant($t, "tmp/$id.$_", 2) } = '' for qw(body jpeg);
        $left{ plant($t, 'trash/images/' . id() . '.jpg', 8) } = '';
    }

    stage_half($self);

    my $upload = 'uploads/' . $self->{upload}->id;

    age($t, 2, $upload, "$upload.info");
    $left{$_} = '' for $upload, "$upload.info";
    $self->{left} = \%left;
}

sub begin_sweep {
    my ($self) = @_;

    $self->unlock;

    return;
}

sub is_swept {
    my ($self) = @_;

    my $storage = $self->{t}->storage;

    return !grep { -e "$storage/$_" } keys %{ $self->{left} };
}

sub is_in_trash {
    my ($self) = @_;

    my $was = is_swept($self);

    $self->sweep;

    my $storage = $self->{t}->storage;

    while (my ($from, $to) = each %{ $self->{left} }) {
        $self->fault("not swept: $from") if -e "$storage/$from";
        $self->fault("not in the trash: $to")
            if length $to && !-e "$storage/$to";
    }

    return $was ? 'complete' : 'absent';
}


1;
