using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Trust.Kernel.Postgres;

/// <summary>SQL as constant text with typed positional parameters, so that no value can ever become syntax.</summary>
public static class SqlText
{
    extension(NpgsqlDataSource db)
    {
        /// <summary>A command on a pooled connection of its own.</summary>
        public NpgsqlCommand Sql([ConstantExpected] string text) => db.CreateCommand(text);
    }

    extension(NpgsqlConnection connection)
    {
        /// <summary>A command on this connection, outside any transaction begun on it.</summary>
        public NpgsqlCommand Sql([ConstantExpected] string text) => new(text, connection);
    }

    extension(NpgsqlTransaction transaction)
    {
        /// <summary>A command inside this transaction.</summary>
        /// <exception cref="InvalidOperationException">The transaction has already ended.</exception>
        public NpgsqlCommand Sql([ConstantExpected] string text) =>
            new(text, transaction.Connection ?? throw new InvalidOperationException("The transaction has ended."), transaction);
    }

    extension(NpgsqlBatchCommand command)
    {
        /// <summary>Adds the next positional parameter ($1, $2 …). A null value is sent as SQL NULL.</summary>
        public NpgsqlBatchCommand With<T>(T value)
        {
            command.Parameters.Add(Parameter(value));
            return command;
        }
    }

    extension(NpgsqlCommand command)
    {
        /// <summary>Adds the next positional parameter ($1, $2 …). A null value is sent as SQL NULL.</summary>
        public NpgsqlCommand With<T>(T value)
        {
            command.Parameters.Add(Parameter(value));
            return command;
        }

        /// <summary>The first column of the first row, or <see langword="default"/> when there is no row or it is NULL.</summary>
        /// <exception cref="InvalidCastException">The column is of another type: read as nothing, a count would be zero and a right be missing.</exception>
        public async Task<T?> Scalar<T>(CancellationToken ct)
        {
            await using (command)
            {
                return await command.ExecuteScalarAsync(ct) switch
                {
                    null or DBNull => default,
                    T value => value,
                    var other => throw new InvalidCastException($"The statement answers {other.GetType().Name}, not {typeof(T).Name}."),
                };
            }
        }

        /// <summary>Runs the statement and tells how many rows it touched; a compare-and-swap reads 0 as "lost".</summary>
        public async Task<int> Execute(CancellationToken ct)
        {
            await using (command)
            {
                return await command.ExecuteNonQueryAsync(ct);
            }
        }

        /// <summary>The first row read by <paramref name="read"/>, or null.</summary>
        public async Task<T?> One<T>(Func<NpgsqlDataReader, T> read, CancellationToken ct) where T : class
        {
            await using (command)
            await using (var reader = await command.ExecuteReaderAsync(ct))
            {
                return await reader.ReadAsync(ct) ? read(reader) : null;
            }
        }

        /// <summary>All rows, each read by <paramref name="read"/>.</summary>
        public async Task<List<T>> All<T>(Func<NpgsqlDataReader, T> read, CancellationToken ct)
        {
            var rows = new List<T>();
            await using (command)
            await using (var reader = await command.ExecuteReaderAsync(ct))
            {
                while (await reader.ReadAsync(ct))
                {
                    rows.Add(read(reader));
                }
            }

            return rows;
        }
    }

    // NULL keeps its type: a statement prepared with one type is not the statement prepared with another.
    private static NpgsqlParameter<T> Parameter<T>(T value) => new() { TypedValue = value };

    extension(NpgsqlDataReader reader)
    {
        /// <summary>The column, or <see langword="default"/> when it is NULL.</summary>
        public T? Nullable<T>(int ordinal) => reader.IsDBNull(ordinal) ? default : reader.GetFieldValue<T>(ordinal);
    }
}
