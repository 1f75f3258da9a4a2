using System.Globalization;
using Trust.AuditLedger.Watching;

namespace Trust.AuditLedger.Tests.Watching;

/// <summary>Who read whom, in memory that no caller decides.</summary>
public sealed class ReaderTableTests
{
    private static readonly WatchingOptions Bounds = new() { ReadsOfOnePatient = 3, PatientsOfOneReader = 5 };

    [Fact]
    public void However_much_one_actor_reads_no_more_is_kept_than_the_bounds_need()
    {
        var table = new ReaderTable(Bounds);
        for (var i = 0; i < 100_000; i++)
        {
            table.Add("machine", (i % 1000).ToString(CultureInfo.InvariantCulture), i, since: 0);
        }

        Assert.InRange(table.Remembered, 6, 4 * 6);
    }

    [Fact]
    public void However_many_actors_read_no_more_is_kept_than_the_table_holds()
    {
        var table = new ReaderTable(Bounds, maxActors: 100, maxReads: 150);
        for (var i = 0; i < 10_000; i++)
        {
            table.Add("actor-" + (i % 1000).ToString(CultureInfo.InvariantCulture), (i % 7).ToString(CultureInfo.InvariantCulture), i, since: 0);
        }

        Assert.InRange(table.Remembered, 1, 150);
    }

    // As many actors as the table holds, between two reads of the one who is looked for.
    [Fact]
    public void A_crowd_that_reads_a_little_does_not_hide_the_one_who_reads_much()
    {
        var table = new ReaderTable(Bounds, maxActors: 1000);
        var told = 0;
        for (var read = 0; read < 100; read++)
        {
            told += table.Add("nosy", "p", read, since: 0).ReadsOfPatient is null ? 0 : 1;
            for (var i = 0; i < 100; i++)
            {
                table.Add(string.Create(CultureInfo.InvariantCulture, $"crowd-{read}-{i}"), "q", read, since: 0);
            }
        }

        Assert.Equal(1, told);
    }

    [Fact]
    public void A_bound_is_told_once_until_it_is_no_longer_passed()
    {
        var table = new ReaderTable(Bounds);
        var told = new List<int>();
        for (var i = 0; i < 10; i++)
        {
            if (table.Add("nosy", "p", i, since: 0).ReadsOfPatient is { } reads)
            {
                told.Add(reads);
            }
        }

        Assert.Equal([4], told);
        for (var i = 100; i < 104; i++)
        {
            if (table.Add("nosy", "p", i, since: 50).ReadsOfPatient is { } reads)
            {
                told.Add(reads);
            }
        }

        Assert.Equal([4, 4], told);
    }
}
