package Imagegram::Changes::Posts;

# Posts and comments, see Imagegram::Changes, and what all changes need.

use strict;
use warnings;

use Exporter 'import';
use MIME::Base64 ();

use Imagegram::Body ();
use Imagegram::Process qw(wait_for);

our @EXPORT_OK = qw(again begin finished is_answer is_post post_form);


our %changes = (
    'form'         => { act => \&post_form, settle => \&is_post },
    'json'         => { act => \&post_json, settle => \&is_post },
    'key'          => { act => \&post_with_key, settle => \&is_post_once },
    'key again'    => { stage => \&stage_post_with_key, act => \&post_with_key,
        settle => \&is_post_once },
    'refused'      => { act => \&post_no_image, settle => \&is_refused },
    'delete post'  => { stage => \&stage_comments, act => \&delete_post,
        settle => \&is_no_post },
    'comment'      => { stage => \&stage_comments, act => \&comment,
        settle => \&is_comment },
    'comment key'  => { stage => \&stage_comments, act => \&comment_with_key,
        settle => \&is_comment_once },
    'delete comment' => { stage => \&stage_comments, act => \&delete_comment,
        settle => \&is_no_comment },
);


# --- POST posts

sub fields { (author => 'ann', body => $_[0]{tag}, image => $_[0]{image}) }

sub begin {
    my ($self, $method, $path, %options) = @_;

    my $t = $self->{t};

    return $t->connect->send($t->prepare($method, $path, %options))->flush;
}

sub post_form {
    my ($self, @headers) = @_;

    my ($type, $body) = Imagegram::Body::multipart(fields($self));

    return begin($self, 'POST', 'posts', body => $body,
        headers => ['Content-Type' => $type, @headers]);
}

sub post_json {
    my ($self) = @_;

    my ($type, $body) = Imagegram::Body::json_body(author => 'ann',
        body => $self->{tag}, image_contents =>
            MIME::Base64::encode_base64($self->{image}, ''));

    return begin($self, 'POST', 'posts', body => $body,
        headers => ['Content-Type' => $type]);
}

sub post_with_key { post_form($_[0], 'Idempotency-Key' => $_[0]{tag}) }

sub stage_post_with_key {
    my ($self) = @_;

    $self->learn(finished(post_with_key($self))->{json});
}

sub finished { $_[0]->response }


# How the server may answer who has not been served

sub is_answer {
    my ($self, $good) = @_;

    my $status = $self->{answer}{status};

    return 1 if $status == $good;

    $self->fault("answered $status: $self->{answer}{body}")
        if $status != 0 && $status != 503;

    return 0;
}


sub is_post {
    my ($self) = @_;

    my $told = is_answer($self, 201);
    my @found = grep { $_->{Body} eq $self->{tag} } $self->posts;

    $self->fault(@found . ' posts') if @found > 1;
    $self->learn($_) for @found;

    return @found ? 'complete' : 'absent' if !$told;

    my $path = $self->{answer}{headers}{'content-location'}
        // $self->{answer}{headers}{location};

    $self->fault("$path was made, and is not there")
        if !@found || $path !~ /posts\/\Q$found[0]{PostID}\E\z/;

    return 'acknowledged';
}


# Tries again with the same key, after the lease of who was killed.

sub is_post_once {
    my ($self) = @_;

    my ($before) = map { $_->{PostID} } grep { $_->{Body} eq $self->{tag} }
        $self->posts;
    my $became = is_post($self);

    $self->{answer} = again($self, sub { finished(post_with_key($self)) });
    is_post($self) eq 'acknowledged'
        or $self->fault('a retry comes to nothing');

    $self->fault('a retry makes another post')
        if $before && $self->{answer}{json}{PostID} ne $before;

    return $became;
}


# As a client that tries again until it is served

sub again {
    my ($self, $request) = @_;

    my $answer;

    wait_for(sub {
        my $t = $self->{t};

        for my $key (@{ $t->redis('KEYS', '*:idem:*') }) {
            $t->redis('PEXPIRE', $key, 1)
                if $t->redis('HEXISTS', $key, 'token');
        }

        $answer = $request->();
        return $answer->{status} !~ /^(?:0|409|503)\z/;
    }, 30) or $self->fault("a retry is answered $answer->{status}");

    return $answer;
}


sub post_no_image {
    my ($self) = @_;

    $self->{image} = substr $self->{image}, 0, 40;

    return post_form($self);
}

sub is_refused {
    my ($self) = @_;

    my $told = is_answer($self, 422);

    $self->fault('it was made') if grep { $_->{Body} eq $self->{tag} }
        $self->posts;

    return $told ? 'acknowledged' : 'absent';
}


# --- comments, and what is deleted

# A post with three comments, the oldest first

sub stage_comments {
    my ($self) = @_;

    my $t = $self->{t};

    $self->{post} = $t->post(image => $self->{image},
        body => "of $self->{tag}")->{PostID};
    $self->{comments}
        = [map { $t->comment($self->{post})->{CommentID} } 1 .. 3];
    $self->learn($t->get("posts/$self->{post}")->{json});
}


sub delete_post { begin($_[0], 'DELETE', "posts/$_[0]{post}") }

sub is_no_post {
    my ($self) = @_;

    my $told = is_answer($self, 204);
    my $there = grep { $_->{PostID} eq $self->{post} } $self->posts;

    $self->fault('it is still there') if $told && $there;
    delete $self->{known}{ $self->{post} } unless $there;

    return $told ? 'acknowledged' : $there ? 'absent' : 'complete';
}


sub comment {
    my ($self, @headers) = @_;

    return begin($self, 'POST', "posts/$self->{post}/comments",
        headers => [@headers], json => { author => 'ben',
            body => $self->{tag} });
}

sub comment_with_key { comment($_[0], 'Idempotency-Key' => $_[0]{tag}) }

sub comments {
    my ($self) = @_;

    return @{ ($self->{t}->walk("posts/$self->{post}/comments?limit=100"))[0] };
}

sub is_comment {
    my ($self) = @_;

    my $told = is_answer($self, 201);
    my @found = grep { $_->{Body} eq $self->{tag} } comments($self);

    $self->fault(@found . ' comments') if @found > 1;
    $self->fault('the comment is not there') if $told && (!@found
        || $found[0]{CommentID} ne $self->{answer}{json}{CommentID});
    $self->{known}{ $self->{post} } = 3 + @found;

    return $told ? 'acknowledged' : @found ? 'complete' : 'absent';
}

sub is_comment_once {
    my ($self) = @_;

    my ($before) = grep { $_->{Body} eq $self->{tag} } comments($self);
    my $became = is_comment($self);

    $self->{answer} = again($self, sub { finished(comment_with_key($self)) });
    is_comment($self) eq 'acknowledged'
        or $self->fault('a retry comes to nothing');

    $self->fault('a retry makes another comment')
        if $before && $self->{answer}{json}{CommentID} ne $before->{CommentID};

    return $became;
}


# the one in the middle, so that the last ones change

sub delete_comment {
    my ($self) = @_;

    return begin($self, 'DELETE',
        "posts/$self->{post}/comments/$self->{comments}[1]");
}

sub is_no_comment {
    my ($self) = @_;

    my $told = is_answer($self, 200);
    my @left = map { $_->{CommentID} } comments($self);
    my $there = grep { $_ eq $self->{comments}[1] } @left;

    $self->fault('it is still there') if $told && $there;
    $self->fault('others are gone') if @left != 2 + $there;
    $self->{known}{ $self->{post} } = @left;

    return $told ? 'acknowledged' : $there ? 'absent' : 'complete';
}


1;
