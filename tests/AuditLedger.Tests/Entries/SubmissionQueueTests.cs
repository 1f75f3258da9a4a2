using Trust.AuditLedger.Entries;

namespace Trust.AuditLedger.Tests.Entries;

/// <summary>Whatever is handed in is answered, also when the lead is lost at that moment.</summary>
public sealed class SubmissionQueueTests
{
    [Fact]
    public async Task No_submission_slips_in_behind_the_closing_of_the_queue()
    {
        var queue = new SubmissionQueue(1 << 16);
        for (var round = 0; round < 200; round++)
        {
            queue.Open();
            using var start = new Barrier(3);
            var submitters = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            {
                start.SignalAndWait();
                return Enumerable.Range(0, 100).Select(_ => queue.Submit(new Submission.OpenEpoch("ca", []))).ToList();
            })).ToList();
            start.SignalAndWait();
            queue.Close();
            foreach (var submitted in await Task.WhenAll(submitters))
            {
                Assert.All(submitted, s => Assert.True(s.IsCompletedSuccessfully, "a submission waits for nobody"));
            }
        }
    }

    [Fact]
    public async Task What_waits_when_it_is_shut_stays_until_it_is_closed_and_nothing_more_is_taken()
    {
        var queue = new SubmissionQueue(2);
        queue.Open();
        var waiting = queue.Submit(new Submission.OpenEpoch("ca", []));
        queue.Shut();
        Assert.Equal(SubmitRefusal.Standby, Assert.IsType<SubmitOutcome.Refused>(await queue.Submit(new Submission.OpenEpoch("ca", []))).Why);
        Assert.False(waiting.IsCompleted);
        queue.Close();
        Assert.Equal(SubmitRefusal.Standby, Assert.IsType<SubmitOutcome.Refused>(await waiting).Why);
    }
}
