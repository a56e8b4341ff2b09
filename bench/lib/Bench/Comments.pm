package Bench::Comments;

# A post's comments, put into Redis as if they had been made one after the
# other, for what deletes them: with ids that are counted.

use strict;
use warnings;

use constant PART => 2000;      # comments in one command


# t: the instance; prefix: of the keys.  The ids are the first 24 characters
# of an ID and a number of twelve digits, from 0.

sub put {
    my ($t, $prefix, $post, $id, $n) = @_;

    my ($feed, $hash, $comments, $texts) = map { "$prefix:{0}:$_" } 'feed',
        map { "$_:$post" } qw(post comments texts);
    my $score = $t->redis('ZSCORE', $feed, $post);

    $t->redis('DEL', $comments, $texts);

    for (my $i = 0; $i < $n; $i += PART) {
        my $last = $i + PART < $n ? $i + PART : $n;
        my @ids = map { sprintf '%s%012d', $id, $_ } $i .. $last - 1;
        my $order = $i;

        $t->redis('ZADD', $comments, map { (++$order, $_) } @ids);
        $t->redis('HSET', $texts, map { ($_, qq({"CommentID":"$_","PostID":)
            . qq("$post","Timestamp":1678661923,"Author":"ben","Body":"wow"}))
            } @ids);
    }

    $t->redis('HSET', $hash, 'count', $n, 'comments', $n);
    $t->redis('ZADD', $feed, sprintf('%.0f', $n * 2**29 + $score % 2**29),
        $post);
}


1;
