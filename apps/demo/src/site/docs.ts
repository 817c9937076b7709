import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { describeSyncRoutes } from 'nest-offline-sync';
import { streamPath } from '../config/sync-options';
import type { Environment } from '../config/environment';
import { CategoryDto } from '../shop/categories/category.dto';
import { CustomerDto } from '../shop/customers/customer.dto';
import { InventoryItemDto } from '../shop/inventory/inventory-item.dto';
import { OrderDto } from '../shop/orders/order.dto';
import { SaleDto } from '../shop/sales/sale.dto';
import { TaskDto } from '../shop/tasks/task.dto';

/** Swagger at /docs, its JSON at /docs-json. */
export function setUpDocs(app: INestApplication, environment: Environment): void {
  SwaggerModule.setup('docs', app, () => describeApi(app, environment), {
    customSiteTitle: 'nest-offline-sync demo',
    swaggerOptions: { persistAuthorization: true },
  });
}

function describeApi(app: INestApplication, environment: Environment): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('nest-offline-sync demo')
    .setDescription(
      'A small shop that syncs. Get a token from POST /auth/token, then press Authorize.\n\n' +
        `The live stream is a WebSocket at \`${streamPath(environment)}\`: send ` +
        '`{"type":"subscribe","token":"…","collections":["tasks"]}`, and each change arrives as one message. ' +
        'The data of each collection follows the schema of that name below; `notes` accept any object.',
    )
    .setVersion('0.1.0')
    .addBearerAuth()
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    extraModels: [TaskDto, InventoryItemDto, CategoryDto, OrderDto, CustomerDto, SaleDto],
  });
  return describeSyncRoutes(app, document);
}
